"""The pages of the dashboard: scripts that Streamlit runs from the top at every interaction.

The folder is not called `pages`: Streamlit takes a folder of that name for its older kind of
navigation, and answers a deep link before the frame in `app.py` has run.
"""
