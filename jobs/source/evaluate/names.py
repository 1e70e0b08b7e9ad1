"""The names under which people import and call Keras, and today's spelling of each."""

_ROOTS = (
    "tensorflow.python.keras",
    "tensorflow.contrib.keras",
    "tensorflow.compat.v1.keras",
    "tensorflow.compat.v2.keras",
    "tensorflow.keras",
    "tensorflow._api.v2.keras",
    "tf_keras",
    "keras.api",
    "keras.src",
    "keras._tf_keras.keras",
)
_LAYER_NAMES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "SeparableConvolution2D": "SeparableConv2D",
    "DepthwiseConvolution2D": "DepthwiseConv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "AtrousConvolution2D": "Conv2D",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "AvgPool2D": "AveragePooling2D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "BatchNormalizationV2": "BatchNormalization",
    "BatchNormalizationV1": "BatchNormalization",
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "Merge": "Concatenate",
}
_LAYERS = """
Input InputLayer Dense Flatten Reshape Permute RepeatVector Dropout SpatialDropout1D
SpatialDropout2D AlphaDropout GaussianDropout GaussianNoise Activation ReLU LeakyReLU PReLU ELU
ThresholdedReLU Softmax BatchNormalization LayerNormalization GroupNormalization
UnitNormalization Conv1D Conv2D Conv3D SeparableConv1D SeparableConv2D DepthwiseConv2D
Conv1DTranspose Conv2DTranspose MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D
AveragePooling2D AveragePooling3D GlobalAveragePooling1D GlobalAveragePooling2D
GlobalMaxPooling1D GlobalMaxPooling2D ZeroPadding1D ZeroPadding2D Cropping1D Cropping2D UpSampling1D
UpSampling2D Concatenate Add Average Maximum Minimum Multiply Subtract Dot Embedding LSTM GRU
SimpleRNN RNN ConvLSTM2D Bidirectional TimeDistributed Lambda Masking Attention
MultiHeadAttention Rescaling Resizing CenterCrop RandomCrop Normalization Identity
ActivityRegularization TextVectorization StringLookup Discretization CategoryEncoding
MaxNormalization LocallyConnected2D LocallyConnected1D
RandomFlip RandomRotation RandomZoom RandomContrast RandomTranslation RandomBrightness
RandomHeight RandomWidth RandomShear RandomHue RandomSaturation RandomGrayscale RandomErasing
RandAugment AutoContrast RandomColorJitter RandomPosterization RandomSharpness
RandomGaussianBlur RandomInvert RandomPerspective AugMix
"""
LAYERS = frozenset(_LAYERS.split())
OPTIMIZERS = {
    name.lower(): name
    for name in (
        "SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Nadam", "Ftrl",
        "Lion", "Adafactor", "Lamb", "Muon",
    )
}  # fmt: skip
LEARNING_RATES = {
    "sgd": 0.01, "rmsprop": 0.001, "adam": 0.001, "adamw": 0.001, "adadelta": 0.001,
    "adagrad": 0.001, "adamax": 0.001, "nadam": 0.001, "ftrl": 0.001, "lion": 0.001,
    "adafactor": 0.001, "lamb": 0.001, "muon": 0.001,
}  # fmt: skip
"""Keras 3's default learning rate of each optimizer."""
WEIGHT_DECAYS = {"adamw": 0.004, "muon": 0.004}
"""Keras 3's default weight decay, of the others none."""
SCHEDULES = frozenset(
    {
        "ExponentialDecay", "PiecewiseConstantDecay", "PolynomialDecay", "InverseTimeDecay",
        "CosineDecay", "CosineDecayRestarts",
    }
)  # fmt: skip
APPLICATIONS = {
    "VGG16": 512, "VGG19": 512, "ResNet50": 2048, "ResNet101": 2048, "ResNet152": 2048,
    "ResNet50V2": 2048, "ResNet101V2": 2048, "ResNet152V2": 2048, "InceptionV3": 2048,
    "InceptionResNetV2": 1536, "Xception": 2048, "MobileNet": 1024, "MobileNetV2": 1280,
    "MobileNetV3Small": 576, "MobileNetV3Large": 960, "DenseNet121": 1024, "DenseNet169": 1664,
    "DenseNet201": 1920, "NASNetMobile": 1056, "NASNetLarge": 4032, "EfficientNetB0": 1280,
    "EfficientNetB1": 1280, "EfficientNetB2": 1408, "EfficientNetB3": 1536,
    "EfficientNetB4": 1792, "EfficientNetB5": 2048, "EfficientNetB6": 2304,
    "EfficientNetB7": 2560, "EfficientNetV2B0": 1280, "EfficientNetV2B1": 1280,
    "EfficientNetV2B2": 1408, "EfficientNetV2B3": 1536, "EfficientNetV2S": 1280,
    "EfficientNetV2M": 1280, "EfficientNetV2L": 1280, "ConvNeXtTiny": 768,
    "ConvNeXtSmall": 768, "ConvNeXtBase": 1024, "ConvNeXtLarge": 1536, "ConvNeXtXLarge": 2048,
}  # fmt: skip
"""Networks of keras.applications and the depth of their last feature map."""
PARAMETERS: dict[str, tuple[str, ...]] = {
    "Conv2D": (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups",
        "activation",
    ),
    "SeparableConv2D": (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate",
        "depth_multiplier", "activation",
    ),
    "DepthwiseConv2D": ("kernel_size", "strides", "padding", "depth_multiplier"),
    "Conv2DTranspose": ("filters", "kernel_size", "strides", "padding"),
    "Conv1D": ("filters", "kernel_size", "strides", "padding"),
    "Conv3D": ("filters", "kernel_size", "strides", "padding"),
    "MaxPooling2D": ("pool_size", "strides", "padding", "data_format"),
    "AveragePooling2D": ("pool_size", "strides", "padding", "data_format"),
    "GlobalAveragePooling2D": ("data_format",),
    "GlobalMaxPooling2D": ("data_format",),
    "Dense": ("units", "activation"),
    "Dropout": ("rate",),
    "AlphaDropout": ("rate",),
    "GaussianDropout": ("rate",),
    "SpatialDropout2D": ("rate",),
    "Activation": ("activation",),
    "Input": ("shape", "batch_size", "dtype"),
    "InputLayer": ("input_shape", "batch_size", "dtype"),
    "Reshape": ("target_shape",),
    "ZeroPadding2D": ("padding",),
    "Cropping2D": ("cropping",),
    "UpSampling2D": ("size",),
    "Resizing": ("height", "width", "interpolation"),
    "CenterCrop": ("height", "width"),
    "RandomCrop": ("height", "width"),
    "Rescaling": ("scale", "offset"),
    "RandomFlip": ("mode",),
    "RandomRotation": ("factor",),
    "RandomZoom": ("height_factor", "width_factor"),
    "RandomContrast": ("factor",),
    "RandomTranslation": ("height_factor", "width_factor"),
    "RandomBrightness": ("factor",),
    "Concatenate": ("axis",),
    "LSTM": ("units",),
    "GRU": ("units",),
    "Embedding": ("input_dim", "output_dim"),
}  # fmt: skip
LEGACY_KEYWORDS = {
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "dim_ordering": "data_format",
    "p": "rate",
    "filter_length": "kernel_size",
    "pool_length": "pool_size",
    "nb_epoch": "epochs",
    "lr": "learning_rate",
    "samples_per_epoch": "steps_per_epoch",
    "nb_val_samples": "validation_steps",
}
FIT_PARAMETERS: dict[str, tuple[str, ...]] = {
    "fit": (
        "x", "y", "batch_size", "epochs", "verbose", "callbacks", "validation_split",
        "validation_data", "shuffle", "class_weight", "sample_weight", "initial_epoch",
        "steps_per_epoch", "validation_steps",
    ),
    "fit_generator": (
        "generator", "steps_per_epoch", "epochs", "verbose", "callbacks", "validation_data",
        "validation_steps",
    ),
    "train_on_batch": ("x", "y"),
    "compile": ("optimizer", "loss", "metrics"),
    "get_layer": ("name", "index"),
}  # fmt: skip
DATA_SETS: dict[str, tuple[int, ...]] = {
    "mnist": (28, 28),
    "fashion_mnist": (28, 28),
    "cifar10": (32, 32, 3),
    "cifar100": (32, 32, 3),
}
"""Image sets of keras.datasets and the shape of one image."""


_STARRED_NAMES = """
Sequential Model Layer ImageDataGenerator load_model model_from_json to_categorical
image_dataset_from_directory load_img img_to_array EarlyStopping ModelCheckpoint
ReduceLROnPlateau LearningRateScheduler add subtract multiply average maximum concatenate
merge keras layers models optimizers datasets applications preprocessing utils backend
callbacks losses metrics regularizers mnist fashion_mnist cifar10 cifar100 np_utils
"""
_STARRED = frozenset(_STARRED_NAMES.split())
"""What else than classes of layers and optimizers a star import may bring, from wherever."""


def canonical(name: str) -> str:
    """A dotted library name in today's spelling: any Keras is ``keras``, any TensorFlow one."""
    for root in _ROOTS:
        if name == root or name.startswith(root + "."):
            return "keras" + name[len(root) :]
    for root in ("tensorflow.compat.v1", "tensorflow.compat.v2", "tensorflow._api.v2"):
        if name == root or name.startswith(root + "."):
            return "tensorflow" + name[len(root) :]
    # TensorFlow 2 has some of Keras' modules under its own name as well.
    for module in ("optimizers", "losses", "metrics", "initializers"):
        if name.startswith(f"tensorflow.{module}"):
            return f"keras.{module}" + name.removeprefix(f"tensorflow.{module}")
    return name


def layer_kind(name: str) -> str | None:
    """Today's name of a layer class, or None where ``name`` is no layer of Keras."""
    kind = _LAYER_NAMES.get(name, name)
    return kind if kind in LAYERS else None


def starred(module: str, name: str) -> str | None:
    """The library name that a bare name stands for after ``from module import *``."""
    module = canonical(module)
    if not module.startswith(("keras", "tensorflow")):
        return None
    known = (
        layer_kind(name) or name.lower() in OPTIMIZERS or name in APPLICATIONS or name in _STARRED
    )
    return canonical(f"{module}.{name}") if known else None
