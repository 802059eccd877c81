"""Holds events of OCSF, one a line, against the schemas of their classes, and prints what is wrong."""
import json
import sys

import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

classes = {3001: "account_change", 3002: "authentication", 3005: "user_access", 6003: "api_activity"}
version = sys.argv[1]
schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
validators = {uid: jsonschema.Draft202012Validator(schema.get_class_schema(name)) for uid, name in classes.items()}
n = 0
for line in sys.stdin:
    event = json.loads(line)
    event["metadata"]["version"] = version
    n += 1
    for problem in validators[event["class_uid"]].iter_errors(event):
        print(event["activity_name"], list(problem.absolute_path), problem.message[:300])
print("held", n)
