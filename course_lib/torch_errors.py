"""What torch's own errors mean in the course's words, where they are typical."""

from __future__ import annotations

import re

# What is found in an exception's text, and what to say; groups of the pattern may be named in the sentence.
MEANINGS: tuple[tuple[str, str], ...] = (
    (
        r"does not require grad and does not have a grad_fn",
        "What you differentiate does not hang on anything that learns: it was detached, computed under torch.no_grad(), turned "
        "into a number (.item(), float()), or its inputs were never told requires_grad_().",
    ),
    (
        r"appears? to not have been used in the graph",
        "What you differentiate does not depend on one of the tensors that you differentiate by: is it detached or copied on the "
        "way, or another tensor of the same name?",
    ),
    (
        r"grad can be implicitly created only for scalar outputs",
        "A gradient is taken of one number: sum over the batch first. Each point's gradient stays its own, since no term of the "
        "sum depends on another point.",
    ),
    (
        r"[Tt]rying to backward through the graph a second time",
        "A graph is used up by the first gradient: compute the value anew, or ask for all gradients in one call of "
        "torch.autograd.grad.",
    ),
    (
        r"a leaf Variable that requires grad is being used in an in-place operation",
        "Something that learns is changed in place: make a new tensor (p + step instead of p += step), or do it under "
        "torch.no_grad().",
    ),
    (
        r"modified by an inplace operation",
        "A tensor that the gradient still needs was changed in place (+=, .clamp_(), x[...] = ...): make a new one instead.",
    ),
    (
        r"can't optimize a non-leaf Tensor",
        "An optimizer takes tensors that stand at the beginning of a computation, not results of one: "
        ".detach().requires_grad_() makes a result into a beginning.",
    ),
    (
        r"optimizer got an empty parameter list",
        "There is nothing to learn: layers must be attributes of a module (a list of them an nn.ModuleList).",
    ),
    (
        r"cannot assign (module|parameter)s? before Module\.__init__\(\) call|super\(\)\.__init__\(\)"
        r"|object has no attribute '_(parameters|modules|buffers|(backward|forward)(_pre)?_hooks)'",
        "Call super().__init__() in the first line of __init__, before any layer is assigned.",
    ),
    (
        r"within the support .* of the distribution Bernoulli",
        "torch's Bernoulli takes 0 and 1 alone, unless it is told validate_args=False: grey values lie between.",
    ),
    (
        r"parameter scale .* constraint GreaterThan",
        "A standard deviation must be positive. Is it log_sigma that you hand over, without exp?",
    ),
    (
        r"parameter (probs|weights?) .* constraint (Interval|Simplex|_Interval|_Simplex)",
        "Probabilities lie between 0 and 1, and those of all choices add up to 1. Are these logits?",
    ),
    (
        r"within the support .* of the distribution (?P<name>\w+)",
        "A value lies where {name} has no density: did a transformation get lost on the way, or the arguments exchanged?",
    ),
    (
        r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(?P<came>\d+) and (?P<wanted>\d+)x",
        "A layer or matrix takes {wanted} numbers for each point, {came} came: look at the last dimension.",
    ),
    (
        r"size mismatch|[Ii]ncorrect (batch|argument) size",
        "The shapes of a product do not fit: its inner dimensions must be equal.",
    ),
    (
        r"The size of tensor a \((?P<a>\d+)\) must match the size of tensor b \((?P<b>\d+)\) at non-singleton dimension",
        "Two shapes do not fit: where one has {a} the other has {b}. Which dimension is the batch, and is one missing "
        "(unsqueeze, keepdim=True)?",
    ),
    (
        r"same dtype|expected scalar type (Double|Float|Half) but found|must have the same type|dtype .* does not match",
        "Two dtypes meet: a tensor that is created inside takes its dtype from the inputs (torch.zeros_like(x), dtype=x.dtype).",
    ),
    (
        r"Expected all tensors to be on the same device",
        "Two devices meet: a tensor that is created inside takes its device from the inputs (torch.zeros_like(x), "
        "device=x.device).",
    ),
    (
        r"Can't call numpy\(\) on Tensor that requires grad",
        "Stay in torch: leave out .numpy(), which no gradient passes.",
    ),
    (
        r"Boolean value of Tensor with more than one value is ambiguous|bool value of Tensor with more than one value",
        "`if` asks one question, and a tensor answers many: torch.where chooses entry by entry.",
    ),
    (
        r"'Tensor' object is not callable",
        "A tensor is called like a function: is a * missing before the parenthesis, or does a variable have a function's name?",
    ),
    (
        r"unsupported operand type\(s\) for .*'NoneType'|'NoneType' object (has no attribute|is not)",
        "Something that you compute with is None: does a function that you call lack its `return`?",
    ),
    (
        r"Dimension out of range",
        "There is no such dimension: -1 is the last one, whatever the shape.",
    ),
    (
        r"name '(?P<name>\w+)' is not defined",
        "`{name}` is not known here: run the cell that defines or imports it, or look at the spelling.",
    ),
)


def meaning(text: str) -> str:
    """Return a sentence for the text of an exception, "" where none is known."""
    for pattern, sentence in MEANINGS:
        found = re.search(pattern, text)
        if found:
            return sentence.format(**found.groupdict())
    return ""
