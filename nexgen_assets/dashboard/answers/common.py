"""What every answer of the API has.

What belongs here: the base of all models, and of those that speak of tables. What does not: any one page's content.
"""

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """Unknown fields of a request are an error; a number that is none is null in an answer."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null", from_attributes=True)


class Answer(Model):
    """Every answer about tables says of which state of them it speaks."""

    snapshot_id: str = Field(description="The published snapshot that every number of this answer was read from")


class Page(Answer):
    """One page of a list that is filtered and sorted on the server."""

    total: int = Field(ge=0, description="Rows that match, on all pages")
    offset: int = Field(ge=0)
    limit: int = Field(ge=1)


class Problem(Model):
    """What went wrong, in words for a person, and what to do."""

    detail: str
