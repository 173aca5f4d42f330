"""Devices: list by state, and one with everything on record of it."""

from django.http import HttpResponseBase

from estserver.api.serializers.devices import (
    Device,
    DevicePage,
    ListedDeviceOutput,
    ReleaseInput,
)
from estserver.api.serializers.outputs import Said, said
from estserver.api.views.base import BaseView, Request, Response, not_found
from iotprov.provisioning.device_record import device_in_aws_iot
from pki.devices.listing import list_devices
from pki.devices.record import device_record
from pki.devices.states import DeviceState
from pki.issuance.release import planned_release, release_name

VIEW = "pki.view_issuedcertificate"
_BY_SLUG = {state.slug: state for state in DeviceState}


class Devices(BaseView):
    """The devices, in the order of their names."""

    permissions = {"GET": (VIEW,)}
    query = DevicePage
    row = ListedDeviceOutput

    def get(self, request: Request) -> HttpResponseBase:
        """List the devices in a state. A cursor is the last name of the page before."""
        asked = self.asked()
        page = list_devices(
            _BY_SLUG.get(asked.get("state", "")),
            beginning=asked["beginning"],
            after=asked["cursor"],
            most=asked["limit"],
        )
        rows = ListedDeviceOutput(page.devices, many=True).data
        cursor = page.devices[-1].common_name if page.has_more else None
        return Response({"results": rows, "next_cursor": cursor})


class DeviceDetail(BaseView):
    """One device."""

    permissions = {"GET": (VIEW,)}
    returns = {"GET": Device}

    def get(self, request: Request, name: str) -> HttpResponseBase:
        """Return what is on record of a thing name, as far as the token may see it."""
        device = device_record(name)
        if device is None:
            raise not_found(f"Nothing is on record of the thing name {name!a}.")
        sees = request.user.has_perm
        rows = []
        if sees("iotprov.view_provisioning"):
            rows = list(device_in_aws_iot(device.certificates, device.current).rows)
        context = {"sees_trail": sees("pki.view_auditevent"), "aws_rows": rows}
        found = Device(device, context=context).data
        if not sees("pki.view_denylistentry"):
            found["denied_by"] = []
        return Response(found)


class DeviceRelease(BaseView):
    """Release the name of a device from the client that holds it."""

    permissions = {"POST": ("pki.change_issuedcertificate",)}
    takes = {"POST": ReleaseInput}
    returns = {"POST": Said}

    def post(self, request: Request, name: str) -> HttpResponseBase:
        """Release the name from the client that holds it, for another one or for any."""
        asked = self.body()
        terms = {"to": asked["to"], "is_revoking": asked["revoke"]}
        if asked["dry_run"]:
            plan = planned_release(name, **terms)
            return Response(said("would-release", " ".join(plan.effects()), dry_run=True))

        def release() -> Response:
            done = release_name(name, reason=asked["reason"], actor=self.actor, **terms)
            whose = f" It is reserved for {done.to.fingerprint}." if done.to else ""
            detail = f"The thing name {done.common_name} is released.{whose}"
            return Response(said("released", detail))

        return self.carry_out(release)
