#!/bin/sh
# Runs what was reviewed, or goes on with it, and carries the journal to where the next job
# finds it: UPSTEP_STORE, a folder that outlives the machine of the job. When that machine
# is lost in the middle, the next job goes on from the last copy.
set -eu
store=${UPSTEP_STORE:?names the folder that the journal is carried in}
every=${UPSTEP_STORE_EVERY:-30} # seconds between copies

mkdir -p "$store"
if [ ! -d .upstep ] && [ -f "$store/upstep.tar.gz" ]; then
  tar -xzf "$store/upstep.tar.gz"
fi

# carry: a journal that is being written is copied whole, by its own command.
carry() {
  if [ -d .upstep ]; then
    rm -rf "$store/.next" && mkdir "$store/.next"
    upstep history --copy "$store/.next" && tar -czf "$store/.new.tar.gz" -C "$store/.next" .upstep &&
      mv "$store/.new.tar.gz" "$store/upstep.tar.gz"
    rm -rf "$store/.next"
  fi
}

(while sleep "$every"; do carry; done) &
carrier=$!
code=0
upstep run playbooks/plan.json --yes --view plain --junit junit.xml || code=$?
kill "$carrier" 2>/dev/null || true
wait "$carrier" 2>/dev/null || true
carry
exit "$code"
