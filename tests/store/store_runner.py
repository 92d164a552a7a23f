"""Runs one experiment of the laboratory as a process of its own: store, experiment, parameters as JSON, jobs, largest file in bytes.

Every worker imports this file, so what only the runner needs is imported by the runner alone.
"""

import json
import resource
import sys


def main():
    import store_laboratory

    from tegum.store import CannotWrite, Store, run_experiments

    place, name, params, jobs, largest_file = sys.argv[1:]
    if int(largest_file):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest_file), int(largest_file)))
    experiment = getattr(store_laboratory, name)
    try:
        (outcome,) = run_experiments([(experiment, experiment.Params(**json.loads(params)), "quick")], Store(place), jobs=int(jobs))
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except CannotWrite as error:
        sys.exit(str(error))
    sys.stdout.write(repr(outcome) + "\n")
    sys.exit(0 if outcome.ok else 3)


if __name__ == "__main__":
    main()
