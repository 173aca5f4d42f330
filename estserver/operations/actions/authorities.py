"""The actions on CAs, profiles, documents of AWS IoT and the truststore."""

from typing import Final

from estserver.operations.actions.action import Action

_ON_THE_MACHINE: Final = "It makes or serves an installation, on the machine itself."
_ASKS_AGAIN: Final = "Only people change CAs. Programs do not."

AUTHORITIES: Final[tuple[Action, ...]] = (
    Action(
        name="List and show CAs",
        commands=("cas list", "cas show"),
        pages=("pki_certificateauthority_changelist", "pki_certificateauthority_change"),
        api=("GET cas", "GET cas/{name}"),
        permission="pki.view_certificateauthority",
    ),
    Action(
        name="Show the three worlds of certificates",
        commands=("cas worlds",),
        pages=("console_worlds",),
        permission="pki.view_certificateauthority",
        services=("estserver.console.authorities.worlds.read_worlds",),
        without_api="`GET cas`, `GET profiles` and `GET targets` have what it draws.",
    ),
    Action(
        name="Download a CA's certificate or CRL",
        commands=("cas download",),
        pages=("pki_certificateauthority_download",),
        permission="pki.view_certificateauthority",
        without_api="`GET cas/{name}` has the certificate. EST serves CAs and CRLs to everybody.",
    ),
    Action(
        name="Make the CAs of the configuration",
        commands=("bootstrap_cas", "cas bootstrap"),
        services=("pki.authorities.bootstrap.bootstrap_cas",),
        without_page=_ON_THE_MACHINE,
        without_api=_ASKS_AGAIN,
    ),
    Action(
        name="Create a CA",
        commands=("cas create",),
        pages=("pki_certificateauthority_create",),
        permission="pki.add_certificateauthority",
        services=("pki.authorities.create.create_authority",),
        without_api=_ASKS_AGAIN,
    ),
    Action(
        name="Import a CA",
        commands=("cas import",),
        pages=("pki_certificateauthority_import",),
        permission="pki.add_certificateauthority",
        services=("pki.authorities.import_ca.import_authority",),
        without_api=_ASKS_AGAIN,
    ),
    Action(
        name="Roll a CA, step by step",
        commands=("ca_roll", "cas roll"),
        pages=("console_ca_roll",),
        permission="pki.view_certificateauthority",
        services=("estserver.console.authorities.ca_roll.roll_of",),
        without_api="People take its steps. `GET cas/{name}` says which CA succeeds which.",
    ),
    Action(
        name="Make a successor of a CA",
        commands=("ca_successor", "cas successor"),
        pages=("pki_certificateauthority_successor",),
        permission="pki.change_certificateauthority",
        services=("pki.authorities.succeed.make_successor",),
        without_api=_ASKS_AGAIN,
    ),
    Action(
        name="Sign a CRL",
        commands=("crl", "cas crl"),
        pages=("pki_certificateauthority_make-crl",),
        permission="pki.change_certificateauthority",
        services=("pki.revocation.crl.make_crl",),
        without_api="The EST server signs one whenever the last is not fresh.",
    ),
    Action(
        name="Retire a CA",
        commands=("retire_ca", "cas retire"),
        pages=("pki_certificateauthority_retire",),
        permission="pki.change_certificateauthority",
        services=("pki.authorities.distrust.retire_authority",),
        without_api=_ASKS_AGAIN,
    ),
    Action(
        name="Distrust a CA",
        commands=("distrust_ca", "cas distrust"),
        pages=("pki_certificateauthority_distrust",),
        permission="pki.change_certificateauthority",
        services=("pki.authorities.distrust.distrust_authority",),
        without_api=_ASKS_AGAIN,
    ),
    Action(
        name="Register device CAs in AWS IoT",
        commands=("register_ca", "cas register", "targets register"),
        pages=(
            "pki_certificateauthority_register",
            "iotprov_caregistration_register",
            "iotprov_caregistration_register-again",
            "iotprov_caregistration_compare",
        ),
        permission="iotprov.change_caregistration",
        services=("iotprov.authorities.ca_registration.plan_registration",),
        without_api="A CA is registered once, with the template and the policy.",
    ),
    Action(
        name="List what the targets have",
        commands=("targets list", "targets registrations"),
        pages=(
            "console_targets",
            "iotprov_caregistration_changelist",
            "iotprov_caregistration_change",
        ),
        api=("GET targets",),
        permission="iotprov.view_caregistration",
    ),
    Action(
        name="List and show profiles",
        commands=("profile_show", "profiles list", "profiles show"),
        pages=("pki_certificateprofile_changelist", "pki_certificateprofile_change"),
        api=("GET profiles", "GET profiles/{name}"),
        permission="pki.view_certificateprofile",
    ),
    Action(
        name="List and compare versions of a profile",
        commands=("profiles versions", "profiles diff"),
        pages=("pki_certificateprofile_changelist", "pki_certificateprofile_compare"),
        api=("GET profiles/{name}/versions",),
        permission="pki.view_certificateprofile",
    ),
    Action(
        name="Add a profile",
        commands=("profiles add",),
        pages=("pki_certificateprofile_add",),
        api=("POST profiles",),
        permission="pki.add_certificateprofile",
        services=("pki.record.profile_versions.add_profile",),
    ),
    Action(
        name="Change a profile",
        commands=("profile_set", "profiles set"),
        pages=("pki_certificateprofile_new-version",),
        api=("PATCH profiles/{name}",),
        permission="pki.change_certificateprofile",
        services=("pki.record.profile_versions.change_profile",),
    ),
    Action(
        name="Return to a version of a profile",
        commands=("profiles roll-back",),
        pages=("pki_certificateprofile_roll-back",),
        permission="pki.change_certificateprofile",
        services=("pki.record.profile_versions.return_to_version",),
        without_api="`PATCH profiles/{name}` takes any settings, those of an earlier version too.",
    ),
    *(
        Action(
            name=f"List, show and compare versions of the {noun}",
            commands=(f"{kind} list", f"{kind} show", f"{kind} diff"),
            pages=(
                f"iotprov_{kind}version_changelist",
                f"iotprov_{kind}version_change",
                f"iotprov_{kind}version_compare",
                f"iotprov_{kind}version_compare-versions",
            ),
            api=(
                "GET documents/{kind}",
                "GET documents/{kind}/versions",
                "GET documents/{kind}/versions/{number}",
            ),
            permission=f"iotprov.view_{kind}version",
        )
        for kind, noun in (("template", "provisioning template"), ("policy", "IoT policy"))
    ),
    *(
        Action(
            name=f"Add a version of the {noun}",
            commands=(f"{kind} add", f"sync_{kind}"),
            pages=(f"iotprov_{kind}version_add", f"iotprov_{kind}version_take-file"),
            api=("PUT documents/{kind}",),
            permission=f"iotprov.add_{kind}version",
            services=("iotprov.documents.versions.add_version",),
        )
        for kind, noun in (("template", "provisioning template"), ("policy", "IoT policy"))
    ),
    *(
        Action(
            name=f"Check the {noun}",
            commands=(f"{kind} validate",),
            pages=(f"iotprov_{kind}version_add",),
            api=("POST documents/{kind}/validate",),
            permission=f"iotprov.view_{kind}version",
            services=("iotprov.documents.validation.problems_of",),
        )
        for kind, noun in (("template", "provisioning template"), ("policy", "IoT policy"))
    ),
    *(
        Action(
            name=f"Return to a version of the {noun}",
            commands=(f"{kind} roll-back",),
            pages=(f"iotprov_{kind}version_roll-back",),
            api=("POST documents/{kind}/roll-back",),
            permission=f"iotprov.add_{kind}version",
            services=("iotprov.documents.versions.roll_back",),
        )
        for kind, noun in (("template", "provisioning template"), ("policy", "IoT policy"))
    ),
    *(
        Action(
            name=f"Push the {noun}",
            commands=(f"sync_{kind}", f"{kind} push"),
            pages=(f"iotprov_{kind}version_push", f"iotprov_{kind}version_push-this"),
            api=("POST documents/{kind}/push",),
            permission=f"iotprov.change_{kind}version",
            services=("iotprov.documents.push.push_everywhere",),
        )
        for kind, noun in (("template", "provisioning template"), ("policy", "IoT policy"))
    ),
    Action(
        name="Preview a certificate in AWS IoT",
        commands=("preview_iot", "template preview", "policy preview"),
        pages=("iotprov_templateversion_preview", "iotprov_policyversion_preview"),
        api=("POST documents/preview",),
        permission="iotprov.view_templateversion",
        services=("iotprov.documents.preview.preview",),
    ),
    Action(
        name="Compare the truststore, and list its pushes",
        commands=("aws_truststore", "truststore diff", "truststore list"),
        pages=(
            "estserver_truststorepush_changelist",
            "estserver_truststorepush_change",
            "estserver_truststorepush_compare",
        ),
        api=("GET truststore", "POST truststore/compare", "GET truststore/pushes"),
        permission="estserver.view_truststorepush",
        services=("estserver.deploy.truststore.bundle.describe",),
    ),
    Action(
        name="Push the truststore, or go back to a version",
        commands=("aws_truststore", "truststore push", "truststore activate"),
        pages=("estserver_truststorepush_push", "estserver_truststorepush_roll-back"),
        api=("POST truststore/push",),
        permission="estserver.change_truststorepush",
        services=(
            "estserver.deploy.truststore.pushes.push",
            "estserver.deploy.truststore.pushes.activate",
        ),
    ),
)
