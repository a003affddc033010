"""What a step must do at least, counted from the architectures; biases and norms are left out."""

RESNET_BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}


def layers(model):
    """(multiplications of a forward pass, parameters) of each layer, for one example."""
    if model == "mlp":
        return [(a * b, a * b) for a, b in ((784, 1000), (1000, 1000), (1000, 10))]
    if model == "cnn":
        return [(28 * 28 * 25 * 16, 25 * 16), (14 * 14 * 25 * 16 * 32, 25 * 16 * 32), (32 * 49 * 10, 32 * 49 * 10)]
    found, inputs, pixels = [(32 * 32 * 27 * 64, 27 * 64)], 64, 32 * 32
    for stage, count in enumerate(RESNET_BLOCKS[model]):
        outputs = 64 * 2 ** stage
        for block in range(count):
            halves = stage > 0 and block == 0
            pixels //= 4 if halves else 1
            filters = [inputs * outputs * 9, outputs * outputs * 9] + ([inputs * outputs] if halves else [])
            found += [(pixels * f, f) for f in filters]
            inputs = outputs
    return [*found, (inputs * 10, inputs * 10)]


def batch_size(model):
    return 128 if model in RESNET_BLOCKS else 100


def base_step(model):
    """Floating-point operations of a base step, forward, and backward to weights and inputs, the first layer's inputs excepted;
    and the bytes of its update with SGD: θ and g read, θ written."""
    all_layers = layers(model)
    products = sum(m for m, _ in all_layers)
    return 2 * batch_size(model) * (3 * products - all_layers[0][0]), 3 * 4 * sum(p for _, p in all_layers)


def meta_step(model):
    """Operations of a faithful meta step: x̃ forward at θ, both batches forward and backward at θ′."""
    forward = 2 * batch_size(model) * sum(m for m, _ in layers(model))
    return forward + 2 * base_step(model)[0]
