"""The reference in docs/, generated from the models: the only place where a property is described."""
