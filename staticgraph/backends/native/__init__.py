"""The native backend: a Function becomes one piece of machine code, made by LLVM."""
