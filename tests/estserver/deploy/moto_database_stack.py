"""What moto's CloudFormation lacks of the database's stack; the resources are moto's own.

It knows no clusters of RDS and not all attributes of an instance, and has no word for `Fn::Cidr`.
"""

import ipaddress
import re
from functools import cache

from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel
from moto.rds.models import DBInstance, rds_backends

_original_clean_json = parsing.clean_json
_original_attribute = DBInstance.get_cfn_attribute
_original_create = DBInstance.create_from_cloudformation_json.__func__


class Cluster(CloudFormationModel):
    """A cluster, whose properties are those of the template in moto's spelling."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.physical_resource_id = cluster.db_cluster_identifier

    @staticmethod
    def cloudformation_name_type():
        return "DBClusterIdentifier"

    @staticmethod
    def cloudformation_type():
        return "AWS::RDS::DBCluster"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name, cloudformation_json, account_id, region_name, **kwargs
    ):
        properties = dict(cloudformation_json["Properties"])
        values = {_snake(name): _named(value) for name, value in properties.items()}
        values["db_cluster_identifier"] = resource_name.lower()
        values["deletion_protection"] = values["deletion_protection"] == "true"
        values["serverless_v2_scaling_configuration"] = {
            name: float(value)
            for name, value in properties["ServerlessV2ScalingConfiguration"].items()
        }
        return cls(rds_backends[account_id][region_name].create_db_cluster(values))

    @classmethod
    def has_cfn_attr(cls, attr):
        return True

    def get_cfn_attribute(self, attribute_name):
        return {
            "Endpoint.Address": _address(self.cluster.db_cluster_identifier, self.cluster.region),
            "DBClusterResourceId": self.cluster.db_cluster_resource_id,
            "DBClusterArn": self.cluster.db_cluster_arn,
            "MasterUserSecret.SecretArn": self.cluster.master_user_secret.secret.arn,
        }[attribute_name]


class ClusterParameters(CloudFormationModel):
    """A parameter group of clusters, which moto has and its CloudFormation does not."""

    def __init__(self, group):
        self.group = group
        self.physical_resource_id = group.name

    @staticmethod
    def cloudformation_name_type():
        return "DBClusterParameterGroupName"

    @staticmethod
    def cloudformation_type():
        return "AWS::RDS::DBClusterParameterGroup"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name, cloudformation_json, account_id, region_name, **kwargs
    ):
        properties = cloudformation_json["Properties"]
        backend = rds_backends[account_id][region_name]
        name = resource_name.lower()
        return cls(
            backend.create_db_cluster_parameter_group(
                name, properties["Family"], properties["Description"], properties["Tags"]
            )
        )


def _snake(name):
    name = name.replace("IAM", "Iam").replace("DB", "Db").replace("VPC", "Vpc")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _named(value):
    """A group's name, where moto hands out the group itself."""
    return getattr(value, "name", value)


def _address(name, region):
    return f"{name}.cluster-abcdefghijkl.{region}.rds.amazonaws.com"


def _clean_json(resource_json, resources_map):
    if isinstance(resource_json, dict) and "Fn::Cidr" in resource_json:
        block, count, bits = _original_clean_json(resource_json["Fn::Cidr"], resources_map)
        subnets = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
        return [str(subnet) for subnet, _ in zip(subnets, range(int(count)), strict=False)]
    if isinstance(resource_json, dict) and "Fn::GetAtt" in resource_json:
        # moto takes !GetAtt Cluster.Endpoint.Address apart at both dots, CloudFormation at one.
        resource, *attribute = resource_json["Fn::GetAtt"]
        resource_json = {"Fn::GetAtt": [resource, ".".join(attribute)]}
    return _original_clean_json(resource_json, resources_map)


def _attribute(self, attribute_name):
    if attribute_name == "DbiResourceId":
        return self.dbi_resource_id
    if attribute_name == "DBInstanceArn":
        return self.db_instance_arn
    if attribute_name == "MasterUserSecret.SecretArn":
        return self.master_user_secret.secret.arn
    return _original_attribute(self, attribute_name)


def _create_instance(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
    """Create an instance with the properties that moto's own way drops."""
    properties = cloudformation_json["Properties"]
    values = {
        _snake(name): _named(value)
        for name, value in properties.items()
        if name not in ("DBClusterIdentifier", "VPCSecurityGroups", "Tags", "EngineVersion")
    }
    values |= {
        "db_instance_identifier": resource_name.lower().replace("_", "-"),
        "db_cluster_identifier": properties.get("DBClusterIdentifier"),
        "vpc_security_group_ids": properties.get("VPCSecurityGroups", []),
        "engine_version": properties.get("EngineVersion"),
        "tags": properties.get("Tags"),
    }
    for name in ("deletion_protection", "multi_az"):
        if name in values:
            values[name] = values[name] == "true"
    return rds_backends[account_id][region_name].create_db_instance(values)


@cache
def fill():
    """Once per process, before a stack is made."""
    parsing.clean_json = _clean_json
    parsing.get_model_list.cache_clear()
    parsing.get_model_map.cache_clear()
    parsing.get_name_type_map.cache_clear()
    DBInstance.has_cfn_attr = classmethod(lambda cls, attr: True)
    DBInstance.get_cfn_attribute = _attribute
    DBInstance.create_from_cloudformation_json = classmethod(_create_instance)
