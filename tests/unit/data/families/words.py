"""What the examples are written with."""


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def system(text):
    return {"role": "system", "content": text}


CALL = {"type": "function", "function": {"name": "roll", "arguments": {"sides": 6}}}
HH = "\n\nHuman: Hi  \n\nAssistant: Yes?\n\nHuman: Name a tree.\n\nAssistant: "
