"""From chat exports to adapters: messages, store, sessions, dataset, recipe, adapter, scores."""
