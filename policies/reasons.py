"""Reasons: why a policy, a label or a request was refused, as stable codes with parameters.

A reason is a value, so it can be counted, compared, logged and translated; its English sentence is
made only when somebody reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

TEXTS: Mapping[str, str] = MappingProxyType(
    {
        # reading XML
        "xml-too-large": "The file has {size} bytes; at most {limit} are read.",
        "xml-malformed": "This is not well-formed XML: {problem}.",
        "xml-declares-types": "A document type declaration is never read.",
        "xml-too-deep": "Elements are nested deeper than {limit} levels.",
        "xml-too-many-elements": "There are more than {limit} elements.",
        "xml-unknown-encoding": "The character encoding is not one that is read.",
        # structure of a file
        "wrong-root": "The root element must be {expected}, not {found}.",
        "wrong-namespace": "Element {element} is in the namespace “{found}”, not “{expected}”.",
        "unexpected-element": "Element {element} may not stand here in {parent}.",
        "missing-element": "Element {parent} lacks {element}.",
        "repeated-element": "Element {element} may stand only {limit} times in {parent}.",
        "unexpected-text": "Element {element} holds text where only elements may stand.",
        "unexpected-attribute": "Element {element} has the unknown attribute {attribute}.",
        "missing-attribute": "Element {element} lacks the attribute {attribute}.",
        "wrong-value": "“{value}” is no right value of {where}: {expected}.",
        # meaning of a security policy
        "duplicate-name": "{kind} “{name}” stands twice (upper and lower case are the same).",
        "duplicate-value": "The value {value} of {where} stands twice.",
        "unknown-reference": "{where} refers to “{name}”, which this policy does not hold.",
        "not-supported": "{what} is not supported, so the policy is refused rather than read in part.",
        "contradiction": "{what}.",
        # validity of a label
        "other-policy": "The label is of the policy “{found}”, not of {expected}.",
        "unknown-classification": "“{value}” is no classification of {policy}.",
        "unknown-tag-set": "“{tag_set}” is no tag set of {policy}.",
        "unknown-value": "“{value}” is no value of {tag_set}.",
        "wrong-tag-type": "{tag_set} is {expected} in this policy, not {found}.",
        "obsolete-classification": "The classification {value} is obsolete.",
        "obsolete-value": "The value {value} of {tag_set} is obsolete.",
        "required-class": "{tag_set} {value} may stand only with {classification}.",
        "excluded-class": "{tag_set} {value} may not stand with {classification}.",
        "too-few-values": "{tag} needs at least {limit} values.",
        "too-many-values": "{tag} takes at most {limit} values.",
        "required-category-all": "{what} requires {categories}.",
        "required-category-oneOrMore": "{what} requires at least one of: {categories}.",
        "required-category-onlyOne": "{what} requires exactly one of: {categories}.",
        "excluded-category": "{what} may not stand together with {categories}.",
        "not-yet-valid": "{what} may be used from {moment}.",
        "no-longer-valid": "{what} could be used until {moment}.",
        "time-needed": "{what} is limited in time, and no time was given to judge it by.",
        # equivalence
        "no-equivalent-policy": "{policy} has no equivalences for {target}.",
        "no-equivalent-classification": "{value} has no equivalent in {target}.",
        "no-equivalent-value": "{value} has no equivalent in {target}.",
        "unknown-equivalent": "The equivalent {value} is not in {target}.",
        "equivalence-turns-round": "{value} would stand lower in {target} than {lower} does.",
        "equivalence-widens": "Without {value} as it is, the label in {target} would be open to more people.",
        "equivalence-leaves-a-choice": "{target} needs one of {categories}, and nothing says which.",
        # the dominant label of several
        "nothing-to-combine": "There is no label to combine.",
        "permissive-dropped-not-shared": "{tag} is dropped, for the members share no value of it ({values}): "
        "the combined label is wider than they are.",
        "permissive-dropped-absent": "{tag} is dropped, for not every member has it ({values}): "
        "the combined label is wider than those that do.",
        # reading a label or a marking
        "incomplete-label": "The label lacks {what}.",
        "unknown-privacy-mark": "“{value}” is no privacy mark of {policy}.",
        "malformed-label": "The label is malformed: {problem}.",
        "not-canonical": "These bytes are not a label in canonical form.",
        "unreadable-marking": "“{text}” is no marking of a valid {policy} label.",
        "ambiguous-marking": "“{text}” can be read as more than one label; give the label in full.",
        # the access control decision function
        "clearance-of-other-policy": "The clearance is of the policy {found}, not of {expected}.",
        "classification-not-held": "The clearance does not list {classification}.",
        "restrictive-not-held": "The clearance lacks {values} of {tag}.",
        "permissive-not-held": "The clearance holds none of {values} of {tag}.",
    }
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: a stable code and the values that its sentence names."""

    code: str
    parameters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, code: str, /, **parameters: str | int) -> Reason:
        """Build a reason from keyword parameters."""
        return cls(code, tuple((name, str(value)) for name, value in sorted(parameters.items())))

    def parameter(self, name: str) -> str | None:
        """Return one parameter, or None when this reason does not have it."""
        return dict(self.parameters).get(name)

    @property
    def text(self) -> str:
        """The English sentence."""
        return self.render(TEXTS)

    def render(self, texts: Mapping[str, str]) -> str:
        """Return the sentence from a table of templates by code (a translation of `TEXTS`)."""
        template = texts.get(self.code)
        return self.code if template is None else template.format_map(dict(self.parameters))

    def __str__(self) -> str:
        return self.text
