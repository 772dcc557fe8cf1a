"""The app in the browser: NiceGUI pages, each a file, over what chat, skills, jobs and gateway decide."""
