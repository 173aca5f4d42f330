"""Template and policy on record and in AWS IoT: versions, pushes, states, previews."""
