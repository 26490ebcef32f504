# Python takes this in by itself where tests put this folder on PYTHONPATH. Ansible sends the code that its
# modules share as a ZIP archive, which is compiled anew for every task on every host: half of what a small task
# costs. Where Ansible is installed, the same code stands with its bytecode, and is taken from there.
import importlib.machinery
import os
import sys


class Installed:
    ansible = importlib.machinery.PathFinder.find_spec("ansible")

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if cls.ansible is None or not name.startswith("ansible.module_utils."):
            return None
        folder = os.path.join(os.path.dirname(cls.ansible.origin), *name.split(".")[1:-1])
        return importlib.machinery.PathFinder.find_spec(name, [folder])


sys.meta_path.insert(0, Installed)
