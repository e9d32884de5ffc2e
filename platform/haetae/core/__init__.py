"""The words of the field as frozen values, and the ports. No input or output happens here."""
