"""The parts of the page Skills: the library, trust, import, the editor, versions, scores."""
