# The devices' side with gunicorn and mutual TLS, for whoever doesn't use Lambda: docs/deploying.md.
FROM python:3.13-slim

# A number, so that an orchestrator can see that it isn't root.
RUN useradd --uid 10001 --no-create-home --home-dir /data est && install -d -o est -m 0700 /data

WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

COPY manage.py ./
COPY config/ config/
COPY templates/ templates/
COPY estserver/ estserver/
COPY iotprov/ iotprov/
COPY pki/ pki/
RUN python -m compileall -q estserver iotprov pki

ENV EST_DATA_DIR=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
VOLUME /data
EXPOSE 8443

# Docker's own check. Kubernetes has its probes: config/kubernetes/devices.yaml.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --start-interval=2s \
    CMD ["python", "-m", "estserver.operations.probe", "https://127.0.0.1:8443/readyz"]

# /healthz and /readyz need no client certificate here.
# The settings are the server's alone: `python manage.py ...` in this image has those of all apps.
CMD ["env", "DJANGO_SETTINGS_MODULE=estserver.settings.est", \
     "gunicorn", "-c", "python:estserver.serving.gunicorn_est", "--bind", "0.0.0.0:8443", \
     "--worker-tmp-dir", "/dev/shm", "estserver.wsgi_est:application"]
