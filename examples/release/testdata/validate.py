# Validates bills of materials with the libraries of those who publish the formats: CycloneDX by its JSON
# schema (strict), SPDX by the rules of the specification, and each package URL by itself.
import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

bad = []
for file in sys.argv[1:]:
    text = open(file).read()
    document = json.loads(text)
    if "bomFormat" in document:
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
        if error:
            bad.append(f"{file}: {error}")
        purls = [c["purl"] for c in document["components"] + [document["metadata"]["component"]]]
    else:
        bad += [f"{file}: {m.validation_message}" for m in validate_full_spdx_document(parse_file(file))]
        purls = [r["referenceLocator"] for p in document["packages"] for r in p["externalRefs"]]
    for purl in purls:
        parsed = PackageURL.from_string(purl)
        if parsed.to_string() != purl or not parsed.version:
            bad.append(f"{file}: {purl} is written {parsed.to_string()}")
print("\n".join(bad) or "valid")
sys.exit(bool(bad))
