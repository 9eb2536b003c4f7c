"""The JSON Schemas accept what the gateway accepts, and refuse what it refuses for its shape."""

import json
import pathlib
import sys

import jsonschema
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

ROOT = pathlib.Path(__file__).resolve().parents[2]

SETTINGS = ["examples/settings.yaml", "tests/settings/all.good.yaml"]
BAD_SETTINGS = ["tests/settings/shape.bad.yaml", "tests/settings/fifteen.bad.yaml"]
BAD_PACKS = ["tests/mappings/keys.bad.yaml", "tests/mappings/words.bad.yaml"]


def errors(schema: dict, text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema)
    found = []
    try:
        documents = list(YAML(typ="safe", pure=True).load_all(text))
    except YAMLError as error:
        return [str(error)]
    for document in documents:
        for error in validator.iter_errors(document):
            found.append(f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}")
    return found


def main() -> int:
    settings = json.loads((ROOT / "schemas/settings.json").read_text())
    packs = json.loads((ROOT / "schemas/pack.json").read_text())
    good_packs = [*ROOT.glob("mappings/*.yaml"), *ROOT.glob("tests/mappings/*.good.yaml")]
    good_packs += [ROOT / "examples/pack.yaml", *ROOT.glob("benches/packs/*.yaml")]
    cases = [(settings, ROOT / name, True) for name in SETTINGS]
    cases += [(settings, ROOT / name, False) for name in BAD_SETTINGS]
    cases += [(packs, path, True) for path in good_packs]
    cases += [(packs, ROOT / name, False) for name in BAD_PACKS]
    passed = failed = 0
    for schema, path, is_good in cases:
        found = errors(schema, path.read_text())
        if bool(found) != is_good:
            passed += 1
        else:
            failed += 1
            print(f"{path.relative_to(ROOT)}: {found or 'accepted'}")
    assert len(good_packs) > 8, good_packs
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
