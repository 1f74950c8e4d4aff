"""What the peers share: questions come as JSON lines, each is answered by one."""

import json
import sys


def answer_each(answer):
    """Prints what `answer` makes of each question, or {"error"} where it does not work."""
    for line in sys.stdin:
        try:
            result = answer(json.loads(line))
        except Exception as error:  # noqa: BLE001: what does not work is an answer
            result = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(result), flush=True)
