"""A config.yaml of the test's own: loaded, or refused."""

import pytest

from estserver.config import Config, ConfigError, load_config


@pytest.fixture
def load(tmp_path):
    """Write a config.yaml and load it."""

    def load_text(text: str, **environ: str) -> Config:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, environ=environ)

    return load_text


@pytest.fixture
def refusal(load):
    """The lines of the refusal that a config.yaml earns."""

    def refusal_of(text: str, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, **environ)
        assert str(caught.value) == "\n".join(caught.value.problems)
        for problem in caught.value.problems:
            _, _, sentence = problem.partition(": ")
            assert not sentence[0].islower()
            assert sentence.endswith((".", "?"))
        return list(caught.value.problems)

    return refusal_of
