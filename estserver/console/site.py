"""The titles of the admin site."""

from django.contrib import admin

admin.site.site_header = "EST server for AWS IoT"
admin.site.site_title = "EST server"
admin.site.site_url = None  # there is no other site to link to
admin.site.index_title = "Certificates and devices"
