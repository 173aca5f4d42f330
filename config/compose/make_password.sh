#!/bin/sh
# Makes the password of the compose file's database, unless it exists:
#
#     make_password.sh FOR_POSTGRESQL FOR_THE_SERVER [OWNER]
#
# The two directories are volumes. PostgreSQL reads `password` when it makes its database. The server
# reads `pgpass`, which libpq takes only from a file that its owner alone may read:
# https://www.postgresql.org/docs/current/libpq-pgpass.html
set -eu
for_postgresql=$1
for_the_server=$2
owner=${3:-10001:10001} # the user of the image

if [ -s "$for_the_server/pgpass" ]; then
    echo "The database's password exists."
    exit 0
fi
umask 077
# What an interrupted run left is used again, because PostgreSQL may have it already.
if [ ! -s "$for_postgresql/password" ]; then
    python3 -c 'import secrets; print(secrets.token_urlsafe(24), end="")' >"$for_postgresql/new"
    chmod 444 "$for_postgresql/new" # whatever user PostgreSQL's image has; no other container
    mv "$for_postgresql/new" "$for_postgresql/password"
fi
printf '*:*:*:est:%s\n' "$(cat "$for_postgresql/password")" >"$for_the_server/new"
chown "$owner" "$for_the_server/new"
mv "$for_the_server/new" "$for_the_server/pgpass"
echo "The database's password was made."
