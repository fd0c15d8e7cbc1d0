"""Doctor: looks at everything the service needs, and says how to mend what is not well."""
