"""Compares, by PyYAML, which Ansible reads with, what was cut out of files with the files.

Standard input: a list of {name, text, cuts: [{kind, path, index, text}]}; standard
output: one line for each difference.
"""
import json
import sys

import yaml

Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(Base):
    pass


class Pure(yaml.SafeLoader):
    pass


def tagged(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return ["tagged", node.tag, value]


def pairs(loader, node):
    # A list of pairs, so that an unhashable key is no error and True differs from 1.
    loader.flatten_mapping(node)
    last = {}
    for key, value in node.value:
        last[repr(loader.construct_object(key, deep=True))] = repr(loader.construct_object(value, deep=True))
    return ["map", sorted(last.items())]


for cls in (Loader, Pure):
    cls.add_multi_constructor("!", tagged)
    cls.add_multi_constructor("tag:example.org", tagged)
    cls.add_constructor("tag:yaml.org,2002:map", pairs)
    cls.add_constructor("tag:yaml.org,2002:set", pairs)


def construct(text, pick, cls):
    loader = cls(text)
    try:
        node = pick(loader.get_single_node())
        return repr(loader.construct_object(node, deep=True)) if node is not None else "['map', []]"
    finally:
        loader.dispose()


def picker(cut):
    def pick(node):
        for i in cut["path"]:
            node = node.value[i] if isinstance(node, yaml.SequenceNode) else node.value[i // 2][i % 2]
        if cut["kind"] == "item":
            return yaml.SequenceNode("tag:yaml.org,2002:seq", [node])
        pairs = node.value if cut["kind"] == "map" else [node.value[cut["index"]]]
        return yaml.MappingNode("tag:yaml.org,2002:map", pairs)
    return pick


for sample in json.load(sys.stdin):
    for cls in (Loader,) if "fast" in sys.argv else (Loader, Pure):
        try:
            construct(sample["text"], lambda n: n, cls)
        except Exception as e:
            print("note: %s: %s does not read it: %s" % (sample["name"], cls.__name__, " ".join(str(e).split())))
            continue
        for cut in sample["cuts"]:
            try:
                want = construct(sample["text"], picker(cut), cls)
                got = construct(cut["text"], lambda n: n, cls)
            except Exception as e:
                want, got = "", str(e)
            if want != got:
                print("%s: %s: %s %s %s\n  want %s\n  got  %s\n%s" % (
                    sample["name"], cls.__name__, cut["kind"], cut["path"], cut["index"], want, got, cut["text"]))
