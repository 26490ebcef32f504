"""Says which hosts Ansible's own code gives for patterns.

Standard input: a list of patterns; argument: an inventory. Standard output, for each
pattern, null where Ansible refuses it, or the hosts: as they come, and as they come
where what Ansible leaves open (it goes through sets and through groups in the order in
which they were met) is done in written order, then backwards.
"""
import json
import sys

from ansible.inventory.group import Group
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

patterns = json.load(sys.stdin)
manager = InventoryManager(loader=DataLoader(), sources=[sys.argv[1]])
data = manager._inventory
localhost = data.localhost  # None where the inventory has none: asking for it makes one


def hosts(pattern):
    data.localhost = localhost
    manager._pattern_cache.clear()
    manager._hosts_patterns_cache.clear()
    try:
        return [h.name for h in manager.get_hosts(pattern)]
    except Exception:
        return None


def walk(step):
    def below(group, rel, include_self=False, preserve_ordering=False):
        found = [group] + list(getattr(group, rel))
        level = found[1:]
        while level:
            after = []
            for g in level[::step]:
                for c in getattr(g, rel):
                    if c not in found:
                        found.append(c)
                        after.append(c)
            level = after
        return found if include_self else found[1:]

    return below


out = [[hosts(p)] for p in patterns]
everyone = list(data.hosts.values())
for step in (1, -1):
    Group._walk_relationship = walk(step)
    for g in data.groups.values():
        g._hosts_cache = None
    top = data.groups["all"]
    names = ["all", "ungrouped"] + [g.name for g in top.get_descendants(preserve_ordering=True)]
    names = list(dict.fromkeys(names))
    data.groups = {n: data.groups[n] for n in (names if step == 1 else names[::-1])}
    data.hosts = {h.name: h for h in top.get_hosts()[::step]}
    assert len(data.hosts) == len(everyone), "the order leaves hosts out"
    for p, of in zip(patterns, out):
        of.append(hosts(p))
json.dump(out, sys.stdout)
