"""The campaign: attacks on files, routes, processes and disks, counted. `python tests robustness` runs it."""

from cotj.tests.robustness import damaged_files, disks, interrupts, kills, queue, routes

MODULES = (damaged_files, routes, kills, queue, interrupts, disks)
ATTACKS = {attack.name: attack for attack in (module.ATTACK for module in MODULES)}
