# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells upstep what Ansible does, and holds each play until upstep lets it go.

One line of JSON for each thing that happened is appended to the events file; upstep is
woken by a newline over the socket. What must not reach a disk goes over the socket
itself. Written for ansible-core 2.14 and later; what differs between its versions stands
in one section below.
"""

from __future__ import (absolute_import, division, print_function)
__metaclass__ = type

DOCUMENTATION = '''
    name: upstep
    type: notification
    short_description: tells upstep what happens
    description:
        - Started by upstep only; without upstep it does nothing.
'''

import atexit
import datetime
import fcntl
import functools
import json
import os
import socket
import struct
import sys
import threading
import time
import traceback

from ansible.plugins.callback import CallbackBase

try:  # what fails here must stop the process at its start, not let it run untold
    from urllib.parse import quote
    import yaml
    from ansible.module_utils.common.text.converters import to_text
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import VaultLib
    from ansible.playbook.block import Block
    from ansible.playbook.handler import Handler
    from ansible.utils.display import Display
    from ansible.utils.unsafe_proxy import wrap_var
    try:
        from ansible.module_utils.common.json import AnsibleJSONEncoder
    except ImportError:
        from ansible.parsing.ajson import AnsibleJSONEncoder
    try:
        from ansible._internal._task import AddGroup, AddHost
    except ImportError:
        AddGroup = AddHost = None
    try:
        from ansible.executor.task_result import CallbackTaskResult
    except ImportError:
        CallbackTaskResult = None
    BROKEN = None
except Exception:
    BROKEN = traceback.format_exc()

HIDDEN = '******'
NO_LOG = 'the result is hidden by no_log'
TEXT = 8 << 10  # bytes of a string
LINE = 64 << 10  # bytes of a line
NOTHING = object()
COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(',', ':')).encode  # json.dumps makes an encoder each time
# Of use in a rescue only, and they hold results whole, whatever no_log says.
PASSING = ('ansible_failed_task', 'ansible_failed_result')
NO_UNITS = ('roles', 'links', 'handlers', 'vars', 'versions')
SECRET_NAMES = ('PASS', 'SECRET', 'TOKEN', 'KEY', 'CREDENTIAL')


class Secrets(object):
    """The texts that must not be seen. A worker that decrypts one tells the main process
    through a file that exists in memory only."""

    LEAST = 6

    def __init__(self):
        self._pid = os.getpid()
        self._known = set()
        self._sorted = []
        self._renew()
        if hasattr(os, 'register_at_fork'):  # another thread may hold the lock while a worker is forked
            os.register_at_fork(after_in_child=self._renew)
        self._reading = threading.local()
        self._read = 0
        self._fd = -1
        if hasattr(os, 'memfd_create'):
            self._fd = os.memfd_create('upstep')
            fcntl.fcntl(self._fd, fcntl.F_SETFL, fcntl.fcntl(self._fd, fcntl.F_GETFL) | os.O_APPEND)

    def _renew(self):
        self._lock = threading.RLock()

    def add(self, text):
        text = to_text(text, errors='replace')
        for part in [text, text.strip()] + ([line.strip() for line in text.splitlines()] if '\n' in text.strip() else []):
            if len(part) < self.LEAST or part in self._known:
                continue
            inner = json.dumps(part)[1:-1]
            self._known.update((
                part, inner, json.dumps(part, ensure_ascii=False)[1:-1], json.dumps(inner)[1:-1], repr(part)[1:-1],
                part.replace("'", "'\"'\"'"), part.replace("'", "''"), quote(part, safe='')))
            self._sorted = None

    def walk(self, value):
        if isinstance(value, (bool, type(None))):
            return
        if isinstance(value, (int, float, str, bytes)):
            self.add(value if isinstance(value, (str, bytes)) else str(value))
        elif hasattr(value, 'items'):
            for v in list(value.values()):
                self.walk(v)
        elif isinstance(value, (list, tuple, set)):
            for v in value:
                self.walk(v)
        else:
            self.add(str(value))

    def reading(self, method):
        """Marks a method of the loader's that reads a file: what a vault gives there is
        the text of the file."""
        @functools.wraps(method)
        def call(*args, **kwargs):
            was, self._reading.file = getattr(self._reading, 'file', False), True
            try:
                return method(*args, **kwargs)
            finally:
                self._reading.file = was
        return call

    def decrypted(self, plain):
        """Takes what a vault gave: one value, or the text of a file."""
        plain, whole = to_text(plain, errors='replace'), getattr(self._reading, 'file', False)
        if os.getpid() != self._pid:
            if self._fd >= 0:
                data = plain.encode('utf-8', 'replace')
                os.write(self._fd, struct.pack('!Q?', len(data), whole) + data)
            self._take(plain, whole)
            return
        with self._lock:
            self._take(plain, whole)

    def _take(self, plain, whole):
        value = None
        if whole:
            try:
                value = yaml.load(plain, Loader=_Plain)
            except Exception:
                pass
        if isinstance(value, (dict, list)):
            self.walk(value)
        elif len(plain) <= LINE:  # a larger file is no value that Ansible prints
            self.add(plain)

    def collect(self):
        """Reads what workers have decrypted since."""
        if self._fd < 0 or os.getpid() != self._pid:
            return
        size = os.fstat(self._fd).st_size
        while self._read < size:
            n, whole = struct.unpack('!Q?', os.pread(self._fd, 9, self._read))
            data = os.pread(self._fd, n, self._read + 9)
            if len(data) < n:
                return
            self._read += 9 + n
            self._take(data.decode('utf-8', 'replace'), whole)

    def texts(self):
        with self._lock:
            self.collect()
            if self._sorted is None:
                self._sorted = sorted(self._known, key=lambda s: (-len(s), s))
            return self._sorted

    def redact(self, text):
        for s in self.texts():
            if s in text:
                text = text.replace(s, HIDDEN)
        return text

    def stand_in(self, text):
        return any(s in text for s in self.texts())


class Redacting(object):
    """Stands before standard output and standard error."""

    def __init__(self, stream, secrets):
        self._stream = stream
        self._secrets = secrets

    def write(self, text):
        self._stream.write(self._secrets.redact(to_text(text, errors='replace')))
        if text.endswith('\n'):
            self._stream.flush()  # what was printed is there if the process is killed
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def __getattr__(self, name):
        return getattr(self._stream, name)


# What differs between versions of ansible-core: 2.14 to 2.18, 2.19, and 2.22.

def of(result, name):
    """A part of a result: without underscore since 2.19."""
    value = getattr(result, name, NOTHING)
    return getattr(result, '_' + name) if value is NOTHING else value


def hide_reasons():
    """Since 2.19 Ansible prints why a task failed, and its warnings, though no_log hides
    the result."""
    if CallbackTaskResult is None:
        return
    original = CallbackTaskResult.result
    get = getattr(original, 'func', None) or original.fget

    def result(this):
        res = get(this)
        if 'censored' in res:
            for name in ('exception', 'warnings', 'deprecations'):
                res.pop(name, None)
        return res

    cached = functools.cached_property(result)
    cached.__set_name__(CallbackTaskResult, 'result')
    CallbackTaskResult.result = cached


def names_registered(task):
    """The names that a task registers: one, and several since 2.22."""
    register = getattr(task, 'register', None) or ()
    return [to_text(name) for name in ([register] if isinstance(register, (str, bytes)) else register)]


def host_added(info):
    """What add_host adds: a dictionary, and an object since 2.22."""
    if AddHost is None or not isinstance(info, AddHost):
        return info
    return {'host_name': info.host_name, 'groups': list(info.parent_group_names or []), 'host_vars': dict(info.host_vars or {})}


def add_host(add, inventory, info):
    if AddHost is None:
        return add(inventory, info, {})
    return add(inventory, AddHost(
        host_name=info['host_name'], host_vars=info.get('host_vars') or {}, parent_group_names=info.get('groups') or []))


def group_added(host, about):
    """The host that group_by adds to a group, the group's name, and those above it."""
    if AddGroup is None or not isinstance(about, AddGroup):
        return host.name, about.get('add_group'), about.get('parent_groups') or []
    return host, about.group_name, list(about.parent_group_names or [])


def add_group(add, inventory, host, name, parents):
    if AddGroup is None:
        return add(inventory, inventory.get_host(host), {'add_group': name, 'parent_groups': parents})
    return add(inventory, host, AddGroup(group_name=name, parent_group_names=parents))


def added_again(args, kwargs):
    """Ansible adds what was added once more when it has read the inventory again."""
    more = list(args) + list(kwargs.values())
    return any(m is True or isinstance(m, dict) and m.get('refresh') for m in more)



def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.%fZ')


def encode(value):
    """JSON as others read it, too: no NaN, keys that are strings, nothing unknown."""
    try:
        return json.dumps(value, cls=AnsibleJSONEncoder, vault_to_text=True, allow_nan=False, ensure_ascii=False, separators=(',', ':'))
    except Exception:
        return json.dumps(plainly(value), allow_nan=False, ensure_ascii=False, separators=(',', ':'))


def plainly(value):
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, (str, bytes)):
        return to_text(value, errors='replace')
    if hasattr(value, 'items'):
        return dict((to_text(k, errors='replace', nonstring='simplerepr'), plainly(v)) for k, v in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plainly(v) for v in value]
    return to_text(value, errors='replace', nonstring='simplerepr')


def utf8(text):
    return text.encode('utf-8', 'replace')


def without_invocation(value):
    if isinstance(value, dict) and ('invocation' in value or isinstance(value.get('results'), list)):
        value = dict((k, v) for k, v in value.items() if k != 'invocation')
        if isinstance(value.get('results'), list):
            value['results'] = [without_invocation(v) for v in value['results']]
    return value


def guarded(method):
    """Ansible only warns when a callback fails. Here a failure is told, and no further
    play begins."""
    @functools.wraps(method)
    def call(self, *args, **kwargs):
        if os.getpid() != self._pid:
            return
        try:
            method(self, *args, **kwargs)
        except Exception:
            self._fail(traceback.format_exc())
            if method.__name__ in ('v2_playbook_on_start', 'v2_playbook_on_play_start'):
                self._stop()
    return call


class CallbackModule(CallbackBase):

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'upstep'
    CALLBACK_NEEDS_ENABLED = False
    CALLBACK_NEEDS_WHITELIST = False

    def __init__(self, *args, **kwargs):
        self._pid = os.getpid()
        if 'UPSTEP_EVENTS' not in os.environ:
            super(CallbackModule, self).__init__(*args, **kwargs)
            self.disabled = True
            return
        self._broken = False
        self._ended = False
        self._secrets = None
        self._sock = None
        try:
            self._events = os.open(os.environ['UPSTEP_EVENTS'], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except Exception:
            traceback.print_exc()
            raise KeyboardInterrupt()  # of other exceptions Ansible warns, and goes on
        try:
            if BROKEN:
                raise RuntimeError(BROKEN)
            self._begin()
            super(CallbackModule, self).__init__(*args, **kwargs)
        except Exception:
            self._fail(traceback.format_exc())
            raise KeyboardInterrupt()

    def _begin(self):
        self._sock = socket.socket(fileno=4)
        # Forked workers hold both; whatever they execute must not.
        os.set_inheritable(3, False)
        os.set_inheritable(4, False)
        tree = os.environ['UPSTEP_TREE']
        self._trees = sorted(set(os.path.join(t, '') for t in (tree, os.path.realpath(tree))))
        self._buffer = b''
        self._play = None
        self._play_name = None
        self._vm = None
        self._tqm = None
        self._names = {}    # uuid: the name as Ansible templated it
        self._tasks = {}    # uuid: (file, line, unit)
        self._units = {}    # host: its last unit
        self._started = {}  # (host, uuid): when
        self._lasts = set()
        self._notified = {}  # host: its handlers that will run
        self._notifying = set()  # hosts of which a handler is called for
        self._ahead = None   # how far Ansible's number of a try is ahead
        self._through = {}   # host: its unit, of which only handlers are left
        self._seen = {}     # host: name: the value that upstep knows of
        self._setters = {}  # (host, name): (place, no_log, registered)
        self._hidden = False
        self._added = []
        self._hooked = False
        self._secrets = Secrets()
        for name in os.environ.get('UPSTEP_REMOVE', '').split('\n'):
            if name:
                try:
                    os.unlink(name)
                except OSError:
                    pass
        for name, value in os.environ.items():
            if any(s in name.upper() for s in SECRET_NAMES) and not value.startswith(('/', '~', './', '../')):
                self._secrets.add(value)
        # An Ansible that a task starts is none of upstep's.
        was = os.environ.pop('UPSTEP_CALLBACKS', None)
        if was is None:
            os.environ.pop('ANSIBLE_CALLBACK_PLUGINS', None)
        else:
            os.environ['ANSIBLE_CALLBACK_PLUGINS'] = was
        for name in ('UPSTEP_EVENTS', 'UPSTEP_TREE', 'UPSTEP_REMOVE'):
            os.environ.pop(name, None)
        self._hide()
        atexit.register(self._exit)

    def _hide(self):
        """Puts the secrets' guard before everything that Ansible prints."""
        hide_reasons()
        secrets = self._secrets
        original = VaultLib.decrypt

        @functools.wraps(original)
        def decrypt(*args, **kwargs):
            plain = original(*args, **kwargs)
            secrets.decrypted(plain)
            return plain

        VaultLib.decrypt = decrypt
        for name in ('_get_file_contents', 'get_real_file'):
            setattr(DataLoader, name, secrets.reading(getattr(DataLoader, name)))
        sys.stdout = Redacting(sys.stdout, secrets)
        sys.stderr = Redacting(sys.stderr, secrets)
        display = Display()

        def redacting(method):
            @functools.wraps(method)
            def call(msg, *args, **kwargs):
                if isinstance(msg, (str, bytes)):
                    msg = secrets.redact(to_text(msg, errors='replace'))
                return method(msg, *args, **kwargs)
            return call

        for name in ('warning', 'error', 'deprecated'):  # they wrap lines, and secrets with them
            setattr(display, name, redacting(getattr(display, name)))
        logger = getattr(sys.modules[Display.__module__], 'logger', None)
        if logger:
            def clean(record):
                record.msg, record.args = secrets.redact(record.getMessage()), ()
                return True
            logger.addFilter(clean)

    # What is told

    def _write(self, line):
        while line:
            line = line[os.write(self._events, line):]
        if self._sock is not None:
            try:
                self._sock.send(b'\n', socket.MSG_DONTWAIT)
            except OSError:
                pass  # full: it is awake; closed: upstep reads the file later

    def _emit(self, kind, **fields):
        event = {'kind': kind, 'time': now()}
        event.update((k.rstrip('_'), v) for k, v in fields.items() if v not in (None, '', False, 0, []))
        line = utf8(COMPACT(event)) + b'\n'
        most = TEXT
        while len(line) > LINE and 'hosts' not in event and most > 16:
            most //= 2  # control characters take six bytes each
            for name in ('message', 'stdout', 'stderr', 'item', 'play'):
                if name in event:
                    event[name] = self._cut(event[name], most)
            line = utf8(COMPACT(event)) + b'\n'
        self._write(line)

    def _cut(self, text, most=TEXT):
        data = utf8(text)
        if len(data) <= most:
            return data.decode('utf-8')
        return '[cut: %d bytes before] %s' % (len(data) - most, data[-most:].decode('utf-8', 'ignore'))

    def _text(self, value, most=TEXT):
        if value is None or value == '':
            return None
        if not isinstance(value, (str, bytes)):
            value = encode(value)
        text = to_text(value, errors='replace').replace('\x00', '\ufffd')
        return self._cut(self._secrets.redact(text), most)

    def _fail(self, message):
        self._broken = True
        if self._secrets is not None:
            message = self._secrets.redact(message)
        self._emit('note', state='failed', message=self._cut('the callback upstep.py failed: ' + message))

    def _stop(self):
        self._end('stopped', self._lost())
        raise KeyboardInterrupt()

    def _end(self, state, hosts):
        if not self._ended:
            self._ended = True
            self._emit('end', state=state, hosts=sorted(hosts))

    def _exit(self):
        """Ansible gave up without a word: what hosts registered is not lost."""
        if self._ended or os.getpid() != self._pid:
            return
        try:
            self._flush()
        except Exception:
            self._fail(traceback.format_exc())

    # Where a task stands

    def _below(self, path):
        for tree in self._trees:
            if path.startswith(tree):
                return path[len(tree):]
        return None

    def _place(self, thing):
        path, line = '', 0
        try:
            path, _colon, number = to_text(thing.get_path() or '').rpartition(':')
            line = int(number)
        except Exception:
            pass
        return path, line

    def _unit_of(self, path):
        below = self._below(path) if path else None
        if below is None or '/' not in below or below.split('/', 1)[0] in NO_UNITS:
            return None
        if below.startswith('preflight/'):  # a role's files there are one unit, and its name has no dot
            return below.split('.', 1)[0]
        for end in ('.yml', '.yaml'):
            if below.endswith(end):
                below = below[:-len(end)]
        return below[:-len('.gate')] if below.endswith('.gate') else below

    def _task(self, task):
        """File, line and unit; the unit is None for what stands in no unit's file."""
        known = self._tasks.get(task._uuid)
        if known is None:
            path, line = self._place(task)
            unit, thing = None, task
            while thing is not None and unit is None:
                unit = self._unit_of(self._place(thing)[0] if thing is not task else path)
                thing = getattr(thing, '_parent', None)
            below = self._below(path) if path else None
            if not line or getattr(task, 'implicit', False) or (below is not None and '/' not in below and unit is None and task.get_ds() is None):
                path, line, below = '', 0, None
            known = self._tasks[task._uuid] = (below or path, line, unit)
        return known

    def _unit(self, host, task):
        unit = self._task(task)[2]
        if unit is None:
            return self._units.get(host) or self._play_vars().get('upstep_unit')
        self._units[host] = unit
        return unit

    def _play_vars(self):
        return getattr(self._play, 'vars', None) or {}

    def _find_lasts(self, play):
        """The tasks after which a unit has no other, as far as that is written."""
        lasts = set()
        try:
            values = self._vm.get_vars(play=play)
            blocks = [b.filter_tagged_tasks(values) for b in play.compile()]
        except Exception:
            return lasts  # Ansible will say so itself
        units = set()

        def gather(items):
            for item in items or []:
                if isinstance(item, Block):
                    gather(item.block), gather(item.rescue), gather(item.always)
                else:
                    units.add(self._task(item)[2])

        def tail(items, unit):
            """The last tasks, NOTHING where they can't be known, None for none."""
            for item in reversed(items or []):
                if isinstance(item, Block):
                    found = tail(item.always, unit)
                    if found is None:
                        found, rescue = tail(item.block, unit), tail(item.rescue, unit)
                        if NOTHING in (found, rescue):
                            found = NOTHING
                        elif found is not None or rescue is not None:
                            found = (found or []) + (rescue or [])
                    if found is not None:
                        return found
                    continue
                if self._task(item)[2] != unit:
                    continue
                action = to_text(item.action).rsplit('.', 1)[-1]
                if action == 'meta':
                    continue  # it gives no result, and handlers are waited for
                return NOTHING if action in ('include_tasks', 'include_role', 'include') else [item]
            return None

        gather(blocks)
        for unit in units - set([None]):
            found = tail(blocks, unit)
            if found not in (None, NOTHING):
                lasts.update(t._uuid for t in found)
        return lasts

    def _rescued(self, task):
        # A block holds what was imported into it, not the import that stands above that.
        below, parent = set(), task
        while parent is not None:
            if isinstance(parent, Block) and parent.rescue and any(c._uuid in below for c in parent.block):
                return True
            below.add(parent._uuid)
            parent = getattr(parent, '_parent', None)
        return False

    def _told(self, task):
        name = self._names.get(task._uuid)
        if name is None:
            name = task.get_name()
        path, line, _unit = self._task(task)
        told = {'id': to_text(task._uuid), 'name': self._text(name, 1024) or '', 'action': to_text(task.action)}
        if path:
            told.update(file=path, line=line)
        return told

    # Variables

    def _note_setter(self, host, task, res, hidden):
        path, line, _unit = self._task(task)
        place = '%s:%d' % (path, line) if path else ''
        action = to_text(task.action).rsplit('.', 1)[-1]
        # Newer Ansible adds before the result is there, and others may come between.
        for added in self._added:
            if added[2] is None and (action == 'add_host' if added[0] == 'host' else action == 'group_by' and added[1][0] == host):
                added[2:] = [place, hidden]
        names = [(name, True) for name in names_registered(task)]
        if action == 'set_fact':
            facts = res.get('ansible_facts')
            for item in res.get('results') or []:
                if isinstance(item, dict):
                    names.extend((to_text(n), False) for n in item.get('ansible_facts') or ())
            names.extend((to_text(n), False) for n in facts or ())
            if hidden:
                names.extend((to_text(n), False) for n in task.args or ())
                self._hidden = True  # a name may be a template, or its host another
        elif hidden:
            self._hidden = True
        if not names:
            return
        once = getattr(task, 'run_once', False) is True
        hosts = [h.name for h in self._inventory().get_hosts(self._play.hosts)] if once else [host]
        for h in hosts:
            for name, registered in names:
                self._setters[h, name] = (place, hidden, registered)

    def _inventory(self):
        return self._vm._inventory

    def _flush(self):
        """Tells what hosts registered, set or were given since the last time."""
        if self._vm is None:
            return
        told, coded, hidden = [], {}, self._hidden
        self._hidden = False
        for kind, about, place, no_log in self._added:
            host, name, value = about
            told.append((kind, host, name, encode(value), hidden if no_log is None else no_log, place))
        self._added = []
        for host, facts in list(getattr(self._vm, '_nonpersistent_fact_cache', {}).items()):
            seen = self._seen.setdefault(host, {})
            for name, value in list(facts.items()):
                if seen.get(name, NOTHING) is value or name in PASSING:
                    continue
                seen[name] = value
                setter = self._setters.get((host, name))
                place, no_log, registered = setter or ('', hidden, False)
                text = coded.get((id(value), registered))
                if text is None:
                    text = encode(without_invocation(value) if registered else value)
                    coded[id(value), registered] = text
                told.append(('', host, name, text, no_log, place))
        lines = {False: [], True: []}
        checked = {}
        for kind, host, name, text, no_log, place in told:
            secret = no_log
            if not secret:
                secret = checked.get(text)
                if secret is None:
                    secret = checked[text] = self._secrets.stand_in(text)
            about = [('host', to_text(host) if host else None), ('name', to_text(name)), ('kind', kind), ('task', place)]
            head = COMPACT(dict((k, v) for k, v in about if v or k == 'name'))
            tail = ',"secret":true}' if secret else '}'
            lines[bool(secret)].append(utf8(head[:-1] + ',"value":' + text + tail))
        for secret, values in lines.items():
            for line in self._lines(values):
                if not secret:
                    self._write(line)
                    continue
                try:
                    self._sock.sendall(line)
                except OSError:
                    pass  # upstep is gone, and these are for its memory only

    def _lines(self, values):
        head = utf8('{"kind":"vars","time":"%s","values":[' % now())
        part, size = [], 0
        for v in values:
            if part and size + len(v) > LINE - 256:
                yield head + b','.join(part) + b']}\n'
                part, size = [], 0
            part.append(v)
            size += len(v) + 1
        if part:
            yield head + b','.join(part) + b']}\n'

    def _load(self, answer):
        inventory, facts = self._inventory(), {}
        for v in answer.get('values') or []:
            kind, host, name, value = v.get('kind') or '', v.get('host'), v['name'], wrap_var(v.get('value'))
            if kind == '':
                facts.setdefault(host, {})[name] = value
            elif kind == 'host':
                add_host(self._add_host, inventory, value)
            elif kind == 'group' and inventory.get_host(host) is not None:
                add_group(self._add_group, inventory, host, name, (value or {}).get('parent_groups') or [])
        for host, values in facts.items():
            self._vm.set_nonpersistent_facts(host, values)
            seen = self._seen.setdefault(host, {})
            for name in values:
                seen[name] = self._vm._nonpersistent_fact_cache[host][name]
                self._setters.pop((host, name), None)
        for host in answer.get('forget') or []:
            self._vm.clear_facts(host)

    def _hook_inventory(self):
        """add_host and group_by show what they did in results, unless no_log hides it."""
        if self._hooked:
            return
        self._hooked = True
        kind = type(self._inventory())
        self._add_host, self._add_group = kind.add_dynamic_host, kind.add_dynamic_group
        this = self

        def add_dynamic_host(inventory, info, *args, **kwargs):
            if info and not added_again(args, kwargs):
                about = host_added(info)
                this._added.append(['host', (None, about.get('host_name'), about), None, None])
            return this._add_host(inventory, info, *args, **kwargs)

        def add_dynamic_group(inventory, host, info, *args, **kwargs):
            if not added_again((info,) + args, kwargs):
                host_name, name, parents = group_added(host, info)
                this._added.append(['group', (host_name, name, {'parent_groups': parents}), None, None])
            return this._add_group(inventory, host, info, *args, **kwargs)

        kind.add_dynamic_host, kind.add_dynamic_group = add_dynamic_host, add_dynamic_group

    # What Ansible calls

    @guarded
    def v2_playbook_on_start(self, playbook):
        loader = playbook.get_loader() if hasattr(playbook, 'get_loader') else playbook._loader
        plays = playbook.get_plays()
        manager = plays[0].get_variable_manager() if plays else None
        if manager is None:
            return
        self._secrets.walk(manager.extra_vars)
        for name, value in list(getattr(loader, '_FILE_CACHE', {}).items()):
            if self._is_vault(name):
                self._secrets.walk(value)
        for source in list(getattr(manager._inventory, '_sources', None) or []):
            names = [os.path.join(source, n) for n in os.listdir(source)] if os.path.isdir(source) else [source]
            for name in names:
                if self._is_vault(name):
                    loader._get_file_contents(name)  # the hook on decryption sees it

    def _is_vault(self, name):
        try:
            with open(name, 'rb') as f:
                return f.read(14) == b'$ANSIBLE_VAULT'
        except (OSError, ValueError):
            return False

    def _find_tqm(self):
        """Only the queue manager knows which hosts a play will leave out."""
        if self._tqm is None:
            frame = sys._getframe()
            while frame is not None:
                this = frame.f_locals.get('self')
                if type(this).__name__ == 'TaskQueueManager':
                    self._tqm = this
                    break
                frame = frame.f_back

    def _lost(self):
        if getattr(self, '_tqm', None) is None:
            return set()
        return set(getattr(self._tqm, '_failed_hosts', ())) | set(getattr(self._tqm, '_unreachable_hosts', ()))

    @guarded
    def v2_playbook_on_play_start(self, play):
        self._play, self._vm = play, play.get_variable_manager()
        self._units, self._lasts, self._notified, self._notifying, self._through = {}, set(), {}, set(), {}
        self._find_tqm()
        self._hook_inventory()
        self._flush()
        if self._broken:
            self._stop()
        inventory = self._inventory()
        batch = dict((h.name, h) for h in inventory.get_hosts(play.hosts, order=play.order))
        lost = self._lost()
        unit, name = self._play_vars().get('upstep_unit'), self._text(play.get_name(), 1024)
        self._play_name = name
        unit = to_text(unit) if unit else None
        self._emit('gate', play=name, unit=unit, hosts=[h for h in batch if h not in lost])
        answer = self._answer()
        verb = answer.get('do')
        if verb == 'skip':
            # An empty list, of hosts or of restrictions, means all hosts.
            play.hosts = 'all:!all'
            if inventory.get_hosts(play.hosts, order=play.order):
                raise RuntimeError('Ansible did not let all hosts be left out')
            return
        if verb != 'go':
            if verb != 'stop':
                self._fail('no such answer: %s' % self._text(answer))
            self._stop()
        self._load(answer)
        chosen = answer.get('hosts')
        if chosen:
            # A batch may be made up of other hosts of the play than serial would take.
            known = dict((h.name, h) for h in inventory.get_hosts(play.hosts, ignore_restrictions=True))
            strange = [h for h in chosen if h not in known]
            if strange:
                raise RuntimeError('not among the hosts of this play: ' + ', '.join(strange))
            inventory.restrict_to_hosts([known[h] for h in chosen])
            play.hosts = list(chosen)
            if set(h.name for h in inventory.get_hosts(play.hosts, order=play.order)) != set(chosen):
                raise RuntimeError('Ansible did not take exactly the chosen hosts')
        if lost:
            play.max_fail_percentage = None  # an answer lets them pass; Ansible counts them in every play
        hosts = [h for h in (chosen or batch) if h not in lost]
        self._lasts = self._find_lasts(play)
        self._emit('play', play=name, unit=unit, hosts=hosts)

    def _answer(self):
        while b'\n' not in self._buffer:
            try:
                data = self._sock.recv(1 << 16)
            except OSError:
                data = b''
            if not data:
                return {'do': 'stop'}  # nobody is there to answer
            self._buffer += data
        line, _newline, self._buffer = self._buffer.partition(b'\n')
        return json.loads(line.decode('utf-8'))

    @guarded
    def v2_playbook_on_task_start(self, task, is_conditional=False):
        self._names[task._uuid] = task.get_name()

    @guarded
    def v2_playbook_on_handler_task_start(self, task):
        self._names[task._uuid] = task.get_name()

    @guarded
    def v2_playbook_on_cleanup_task_start(self, task):
        self._names[task._uuid] = task.get_name()

    def _about(self, host, task):
        return {'host': host, 'play': self._play_name, 'unit': self._unit(host, task), 'task': self._told(task)}

    @guarded
    def v2_runner_on_start(self, host, task):
        self._started[host.name, task._uuid] = time.monotonic()
        self._emit('start', **self._about(host.name, task))

    def _tell(self, kind, result, item=False, ignored=False):
        # What the worker made of the task's templates has come back with the task.
        host, task, res = of(result, 'host').name, of(result, 'task'), of(result, 'result') or {}
        hidden = 'censored' in res or getattr(task, 'no_log', None) is True or bool(res.get('_ansible_no_log'))
        about = self._about(host, task)
        delegated = getattr(task, 'delegate_to', None)
        about['delegate'] = to_text(delegated) if delegated else None
        if kind == 'retry':
            about.update(try_=self._try(res), tries=res.get('retries'))
        elif not item:
            self._note_setter(host, task, res, hidden)
            started = self._started.pop((host, task._uuid), None)
            if started is not None:
                about['seconds'] = round(time.monotonic() - started, 6)
        if kind == 'failed':
            about.update(ignored=ignored, rescued=not ignored and self._rescued(task))
        elif kind == 'unreachable':
            about.update(ignored=ignored)
        if not item and kind != 'retry':
            about['last'] = self._last(kind, host, task, about['unit'], about.get('rescued'))
        if hidden:
            about.update(no_log=True, message=NO_LOG)
        else:
            if item or '_ansible_item_label' in res:
                about['item'] = self._text(res.get('_ansible_item_label', res.get('item')), 1024)
            about.update(self._words(kind, res))
        self._emit(kind, **about)

    def _try(self, res):
        """The number of the try that failed. The first that is told in a process is of a
        first try: since 2.22 it comes with the number of the next."""
        n = res.get('attempts') or 0
        if self._ahead is None:
            self._ahead = n - 1
        return n - self._ahead

    def _last(self, kind, host, task, unit, rescued):
        waiting = self._notified.get(host)
        if isinstance(task, Handler):
            if not waiting:
                return False
            waiting.discard(task._uuid)
            if waiting:
                return False
            self._notifying.discard(host)
            return self._through.get(host) == unit
        if kind == 'changed' and getattr(task, 'notify', None):
            self._notifying.add(host)  # newer Ansible tells which handlers only when they are flushed
        if task._uuid not in self._lasts or rescued:
            return False
        self._through[host] = unit
        return not waiting and host not in self._notifying

    @guarded
    def v2_playbook_on_notify(self, handler, host):
        self._notified.setdefault(host.name, set()).add(handler._uuid)

    def _words(self, kind, res):
        if kind in ('ok', 'changed'):
            msg = res.get('msg')
            return {'message': self._text(msg)} if isinstance(msg, str) and len(msg) <= 256 else {}
        if kind == 'skipped':
            return {'message': self._text(res.get('skip_reason') or res.get('skipped_reason') or res.get('msg'), 1024)}
        message = res.get('msg') or res.get('reason')
        if not message and res.get('exception'):
            message = to_text(res['exception'], errors='replace', nonstring='simplerepr').strip().splitlines()[-1]
        if message is not None and not isinstance(message, (str, bytes)):
            message = '\n'.join(map(to_text, message)) if isinstance(message, list) else encode(message)
        return {'message': self._text(message), 'stdout': self._text(res.get('stdout') or res.get('module_stdout')),
                'stderr': self._text(res.get('stderr') or res.get('module_stderr'))}

    @guarded
    def v2_runner_on_ok(self, result):
        self._tell('changed' if result.is_changed() else 'ok', result)

    @guarded
    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._tell('failed', result, ignored=bool(ignore_errors))

    @guarded
    def v2_runner_on_skipped(self, result):
        self._tell('skipped', result)

    @guarded
    def v2_runner_on_unreachable(self, result):
        self._tell('unreachable', result, ignored=getattr(of(result, 'task'), 'ignore_unreachable', None) is True)

    @guarded
    def v2_runner_item_on_failed(self, result):
        self._tell('failed', result, item=True, ignored=getattr(of(result, 'task'), 'ignore_errors', None) is True)

    @guarded
    def v2_runner_retry(self, result):
        self._tell('retry', result)

    @guarded
    def v2_playbook_on_stats(self, stats):
        try:
            self._flush()
        finally:
            hosts = set()
            for host in stats.processed:
                of_host = stats.summarize(host)
                if of_host.get('failures') or of_host.get('unreachable'):
                    hosts.add(host)
            self._end('failed' if self._broken else None, hosts)


if not BROKEN:
    class _Plain(getattr(yaml, 'CSafeLoader', yaml.SafeLoader)):
        """Reads YAML with tags as if they were not there."""

    def _untagged(loader, suffix, node):
        if isinstance(node, yaml.ScalarNode):
            return node.value
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_mapping(node, deep=True)

    _Plain.add_multi_constructor('!', _untagged)
