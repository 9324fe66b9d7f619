"""Names of enumerations' numbers."""

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper


def name_of(enum: EnumTypeWrapper, number: int) -> str:
    """Gives the name of a number; itself where it has none, since what comes from outside may have any."""
    return enum.Name(number) if number in enum.values() else str(number)
