"""The path by which installations name their hooks' base: `estserver.enrollment.hooks`."""

from estserver.enrollment.hooks import EnrollmentHook, HookRefused, HookRequest

__all__ = ["EnrollmentHook", "HookRefused", "HookRequest"]
