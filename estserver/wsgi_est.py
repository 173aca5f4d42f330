"""The device side as a WSGI application, for gunicorn: all of it loaded before the first device."""

from estserver.est.application import make_application
from estserver.est.lazy_view import find_view

application = make_application()
find_view("estserver.est.enrollment_views.SimpleEnrollView")
