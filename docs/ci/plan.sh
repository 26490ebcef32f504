#!/bin/sh
# Checks the project and what was emitted, and leaves the plan to be read: plan.txt.
set -eu
upstep validate
upstep emit --check
upstep plan > plan.txt
