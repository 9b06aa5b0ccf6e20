"""Name the machine, the level of instructions and the versions that the tables were made with."""
import datetime
import importlib.metadata
import os

import common


def main():
    with common.prepare() as connection:
        device = connection.execute("SELECT cpu, instruction_level, blas FROM lmtext.device").fetchone()
        server = connection.execute("SHOW server_version").fetchone()[0]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}"
                         for name in ("onnxruntime", "torch", "transformers", "tokenizers"))
    print(f"{datetime.date.today()}: {device[0]}, level {device[1]}, {os.cpu_count()} cores; "
          f"PostgreSQL {server}; {device[2]}; {versions}; one thread a process")


if __name__ == "__main__":
    main()
