"""The WSGI application of the device side for gunicorn, loaded whole before the first request."""

from estserver.est.application import make_application
from estserver.est.lazy_view import find_view

application = make_application()
find_view("estserver.est.enrollment_views.SimpleEnrollView")
