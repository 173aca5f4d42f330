"""The actions on CAs, profiles, documents, the truststore, people, the audit trail and tools."""

from typing import Final

from estserver.operations.actions.action import Action

_ON_THE_MACHINE: Final = "It makes or serves an installation, on the machine itself."
_DEPLOYS: Final = "It deploys with the rights of a person in AWS, not with those of the console."
_ABOUT_PEOPLE: Final = "No token may make or change people."
_TELLS_OTHERS: Final = "Where events are sent to is decided about by a person."
_WRITES_DOCS: Final = "It is for people who change the code."
_ASKS_AGAIN: Final = "A key of a CA is decided about by a person, who is asked again."

INSTALLATION: Final[tuple[Action, ...]] = (
    Action(
        name="List and show CAs",
        commands=("cas list", "cas show"),
        pages=("pki_certificateauthority_changelist", "pki_certificateauthority_change"),
        api=("GET cas", "GET cas/{name}"),
        permission="pki.view_certificateauthority",
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
        pages=("iotprov_caregistration_changelist", "iotprov_caregistration_change"),
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
        pages=("pki_certificateprofile_changelist",),
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
        permission="pki.change_certificateprofile",
        services=("pki.record.profile_versions.return_to_version",),
        without_page="The page of a change takes any settings, those of an earlier version too.",
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
        api=("GET truststore", "GET truststore/pushes"),
        permission="estserver.view_truststorepush",
        without_page="The overview has its state.",
    ),
    Action(
        name="Push the truststore, or go back to a version",
        commands=("aws_truststore", "truststore push", "truststore activate"),
        permission="estserver.change_truststorepush",
        services=(
            "estserver.deploy.truststore.pushes.push",
            "estserver.deploy.truststore.pushes.activate",
        ),
        without_page=_DEPLOYS,
        without_api=_DEPLOYS,
    ),
    Action(
        name="Search and export the audit trail",
        commands=("audit list", "audit export"),
        pages=("pki_auditevent_changelist", "pki_auditevent_change", "pki_auditevent_export"),
        api=("GET audit", "GET audit/export"),
        permission="pki.view_auditevent",
    ),
    Action(
        name="Verify the audit trail",
        commands=("audit_verify", "audit verify"),
        pages=("pki_auditevent_verify",),
        api=("POST audit/verify",),
        permission="pki.view_auditevent",
        services=("pki.record.audit_check.check_trail",),
    ),
    Action(
        name="List people and roles",
        commands=("people list", "people show", "people roles"),
        pages=("auth_user_changelist", "auth_group_changelist"),
        permission="auth.view_user",
        services=("estserver.people.account_rules.account_facts",),
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="Make an account",
        commands=("people add",),
        pages=("auth_user_add",),
        permission="auth.add_user",
        services=("estserver.people.account_rules.account_facts",),
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="Make the first account",
        commands=("first_admin",),
        services=("estserver.people.first_account.make_first_admin",),
        without_page="Nobody could open it yet.",
        without_api="Nobody could have a token yet.",
    ),
    Action(
        name="Change an account, its roles or its password",
        commands=("people set-roles", "people disable", "people enable", "people password"),
        pages=("auth_user_change", "auth_user_password_change", "auth_user_delete"),
        permission="auth.change_user",
        services=("estserver.people.account_rules.account_facts",),
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="Who has a second factor",
        commands=("second_factor list",),
        pages=("console_second_factor", "auth_user_change"),
        permission="auth.view_user",
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="Reset a second factor",
        commands=("second_factor reset",),
        pages=("console_second_factor_reset",),
        permission="auth.change_user",
        services=("estserver.people.second_factor.factors.reset",),
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="Make and change groups beside the roles",
        commands=("people set-roles",),
        pages=("auth_group_add", "auth_group_change", "auth_group_delete"),
        permission="auth.change_group",
        without_api=_ABOUT_PEOPLE,
    ),
    Action(
        name="List webhooks and their messages",
        commands=("webhooks list", "webhooks deliveries"),
        pages=(
            "estserver_webhook_changelist",
            "estserver_webhook_change",
            "estserver_message_changelist",
            "estserver_message_change",
        ),
        permission="estserver.view_webhook",
        without_api=_TELLS_OTHERS,
    ),
    Action(
        name="Add a webhook",
        commands=("webhooks add",),
        pages=("estserver_webhook_add",),
        permission="estserver.add_webhook",
        services=("estserver.webhooks.subscriptions.add_webhook",),
        without_api=_TELLS_OTHERS,
    ),
    Action(
        name="Give a webhook a new secret, test it or end it",
        commands=("webhooks rotate", "webhooks test", "webhooks end"),
        pages=("estserver_webhook_rotate", "estserver_webhook_test", "estserver_webhook_end"),
        permission="estserver.change_webhook",
        services=(
            "estserver.webhooks.subscriptions.rotate_secret",
            "estserver.webhooks.subscriptions.end_webhook",
        ),
        without_api=_TELLS_OTHERS,
    ),
    Action(
        name="Send a message of a webhook again",
        commands=("webhooks redeliver",),
        pages=("estserver_message_again",),
        permission="estserver.change_message",
        without_api=_TELLS_OTHERS,
    ),
    Action(
        name="Overview and notices",
        commands=("notices",),
        pages=("index", "console_acknowledge"),
        api=("GET overview", "GET notices", "POST notices/acknowledge"),
        permission="estserver.add_acknowledgement",
        services=("estserver.console.overview.notices.acknowledge",),
    ),
    Action(
        name="Settings in force",
        commands=("settings_in_force",),
        pages=("console_settings",),
        permission="estserver.view_settings",
        services=("estserver.config.effective.effective_values",),
        without_api="They name files and secrets of the machine.",
    ),
    Action(
        name="Doctor",
        commands=("doctor",),
        pages=("console_doctor",),
        api=("POST doctor",),
        permission="estserver.view_settings",
        services=("estserver.tools.doctor.examination.examine",),
    ),
    Action(
        name="Dry run of an enrollment",
        commands=("dry_run",),
        pages=("console_dry_run",),
        api=("POST dry-run",),
        permission="pki.view_issuedcertificate",
        services=("estserver.tools.dry_run.dry_run",),
    ),
    Action(
        name="Inspect a certificate, CSR, key or log line",
        commands=("inspect",),
        pages=("console_inspect",),
        api=("POST inspect",),
        permission="pki.view_issuedcertificate",
        services=("estserver.tools.inspection.inspect",),
    ),
    Action(
        name="Test enrollment",
        commands=("test_enroll",),
        pages=("console_test_enroll", "console_test_enroll_clean_up"),
        permission="pki.add_issuedcertificate",
        without_api="A program enrolls by EST.",
        services=("estserver.tools.enrollment_test.clean_up",),
    ),
    Action(
        name="Prove a server from outside",
        commands=("smoke",),
        without_page="It is run from another place than the server.",
        without_api="It is run from another place than the server.",
    ),
    Action(
        name="Make and serve an installation",
        commands=("quickstart", "runest", "run_schedule", "migrate", "import_aws"),
        without_page=_ON_THE_MACHINE,
        without_api=_ON_THE_MACHINE,
    ),
    Action(
        name="Deploy to AWS",
        commands=(
            "aws_deploy",
            "aws_destroy",
            "aws_rollback",
            "aws_package",
            "aws_status",
            "aws_costs",
            "aws_run",
            "aws_client_files",
            "zappa_settings",
        ),
        without_page=_DEPLOYS,
        without_api=_DEPLOYS,
    ),
    Action(
        name="Write references and shell completion",
        commands=("config_reference", "reason_codes", "commands_reference", "completion"),
        without_page=_WRITES_DOCS,
        without_api=_WRITES_DOCS,
    ),
)
