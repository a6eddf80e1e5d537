"""The loop of an engine's process: commands as lines of JSON on stdin, answers as lines of JSON on stdout.

A command is {"id", "do", …}; its answer {"id", "result"} or {"id", "error": {"type", "message"}}. The first line tells
the versions that run. The process ends with its stdin.
"""

import json
import os
import sys


def claim_stdout():
    """The real stdout for answers; whatever else is printed, by Java too, goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def serve(answers, versions, commands):
    """Answers until stdin ends. `commands` are functions by name that take a command and give its result."""

    def answer(message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    answer({"ready": versions})
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer({"id": command["id"], "result": commands[command["do"]](command)})
        except Exception as error:  # pylint: disable=broad-except
            message = str(error).split("\n\tat ")[0]
            answer({"id": command["id"], "error": {"type": type(error).__name__, "message": message}})
