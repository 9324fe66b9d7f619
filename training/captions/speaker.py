"""How a captioner learns: first what people said, word by word; then what its own captions are worth.

Legend: N pictures, R captions of each, B = N R rows, T words, P places, C channels, V words of the vocabulary.
"""

from collections.abc import Sequence

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LRScheduler

from training.captions.recipe import CaptionRecipe
from training.captions.reward import Reward
from training.captions.saying import drawn, greedy
from training.captions.sight import Sight
from training.classifier import TRAIN_LOSS
from training.data.captioned import END, SPECIAL, until_end
from training.pixels import Pixels
from training.schedules import stepped
from training.seeds import seed_at

# CIDEr-D of the validation's greedy captions, judged as one set, times 10.
VALIDATION_CIDER = "validation_cider"
# In targets: no word.
NOTHING = -1


class Speaker(LightningModule):
    """A captioner in training, behind the nets that make its input of a picture.

    Args:
        recipe: how it is trained.
        vocabulary: by token ids.
        train: judges captions of the pictures to train on, their ends among the words: else those that break off in
            mid-sentence would be as good.
        validation: judges captions of the pictures to validate with.
        seed: of the training's random numbers.
    """

    def __init__(
        self, recipe: CaptionRecipe, vocabulary: Sequence[str], train: Reward, validation: Reward, seed: int
    ) -> None:
        super().__init__()
        self.front = Pixels(recipe.input.mean, recipe.input.std)
        self.sight = Sight(recipe.sight)
        self.net = recipe.make(len(vocabulary), self.sight.channels)
        self._recipe, self._vocabulary, self._seed = recipe, vocabulary, seed
        self._train_reward, self._validation_reward = train, validation
        self._losses: list[Tensor] = []
        self._judged: list[float] = []

    @property
    def _rewards(self) -> bool:
        """Whether this epoch is one of the second stage."""
        return self.current_epoch >= self._recipe.epochs

    def on_train_epoch_start(self) -> None:
        """Makes the epoch's random numbers independent of what came before."""
        self._losses.clear()
        torch.manual_seed(seed_at(self._seed, self.current_epoch, self.global_rank))
        if self._rewards:
            for group in self.trainer.optimizers[0].param_groups:
                group["lr"] = self._recipe.reward.lr

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Gives the loss on narrow_NPC f16, tokens_NRT i64 with NOTHING after a caption's END, and picture_N i64."""
        narrow_NPC, tokens_NRT, picture_N = batch
        maps_NPC = self.sight.widen(narrow_NPC.float())
        value = self._worth(maps_NPC, picture_N) if self._rewards else self._told(maps_NPC, tokens_NRT)
        self._losses.append(value.detach())
        if self.trainer.is_last_batch:
            mean = torch.stack(self._losses).mean()
            self.log(TRAIN_LOSS, mean, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)
        return value

    def _told(self, maps_NPC: Tensor, tokens_NRT: Tensor) -> Tensor:
        """Gives the loss of the first stage: the cross-entropy of people's words."""
        recipe = self._recipe
        heard_NRT = tokens_NRT[:, :, :-1].clamp(min=END)
        share = recipe.own_words * self.current_epoch / max(1, recipe.epochs - 1)
        if share:
            heard_NRT = self._partly_own(maps_NPC, heard_NRT, share)
        logits_NRTV, attention_NRTP = self.net(maps_NPC, heard_NRT)
        target_NRT = tokens_NRT[:, :, 1:]
        value = functional.cross_entropy(
            logits_NRTV.float().flatten(0, 2),
            target_NRT.flatten(),
            ignore_index=NOTHING,
            label_smoothing=recipe.label_smoothing,
        )
        if recipe.unseen_cost and self.net.attends:
            looked_NRP = (attention_NRTP.float() * (target_NRT != NOTHING).unsqueeze(3)).sum(2)
            value = value + recipe.unseen_cost * ((1 - looked_NRP) ** 2).mean()
        return value

    @torch.no_grad()
    def _partly_own(self, maps_NPC: Tensor, heard_NRT: Tensor, share: float) -> Tensor:
        """Puts the net's most probable words, said after people's, in place of some that it hears."""
        logits_NRTV, _ = self.net(maps_NPC, heard_NRT)
        own_NRT = torch.cat([heard_NRT[:, :, :1], logits_NRTV[:, :, :-1].argmax(3)], 2)
        is_own_NRT = torch.rand(heard_NRT.shape, device=heard_NRT.device) < share
        is_own_NRT[:, :, 0] = False
        return torch.where(is_own_NRT, own_NRT, heard_NRT)

    def _worth(self, maps_NPC: Tensor, picture_N: Tensor) -> Tensor:
        """Gives the loss of the second stage: what is better than the others drawn becomes more probable."""
        samples = self._recipe.reward.samples
        # Drawn with dropout, as what is learnt from is: without it, captions that dropout makes improbable would be
        # pushed away ever further.
        said_NRT, log_NRT = drawn(self.net, maps_NPC, samples, self._recipe.max_words)
        worth_NR = torch.tensor(
            [
                [self._train_reward.judge(picture, self._ended(said_T)) for said_T in said_RT]
                for picture, said_RT in zip(picture_N.tolist(), said_NRT.tolist(), strict=True)
            ],
            device=maps_NPC.device,
        )
        # Each against the mean of the others.
        better_NR = (worth_NR - worth_NR.mean(1, keepdim=True)) * samples / (samples - 1)
        # A caption's words, and the END that it chose.
        counts_NRT = torch.cat([torch.ones_like(said_NRT[:, :, :1]), (said_NRT[:, :, :-1] != END).long()], 2)
        return -(log_NRT * counts_NRT * better_NR.unsqueeze(2)).sum() / counts_NRT.sum()

    def _ended(self, said_T: Sequence[int]) -> list[str]:
        """Gives a caption's words and its end, where it has come to one."""
        return [*self._words(said_T), *([SPECIAL[END]] if END in said_T else [])]

    def _words(self, said_T: Sequence[int]) -> list[str]:
        return [self._vocabulary[token] for token in until_end(said_T)]

    def on_validation_epoch_start(self) -> None:
        """Forgets the last epoch's."""
        self._judged.clear()

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Judges greedy captions of narrow_NPC f16, the pictures picture_N i64; in 32 bits, as it will be served."""
        narrow_NPC, picture_N = batch
        with torch.autocast(self.device.type, enabled=False):
            said_NT = greedy(self.net, self.sight.widen(narrow_NPC.float()), self._recipe.max_words)
        for picture, said_T in zip(picture_N.tolist(), said_NT.tolist(), strict=True):
            self._judged.append(self._validation_reward.judge(picture, self._words(said_T)))

    def on_validation_epoch_end(self) -> None:
        """Logs their mean."""
        self.log(VALIDATION_CIDER, sum(self._judged) / len(self._judged), sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Gives the recipe's optimiser, its schedule over the first stage; the second has one rate."""
        recipe = self._recipe
        share = recipe.epochs / (recipe.epochs + recipe.reward.epochs)
        steps = round(share * self.trainer.estimated_stepping_batches)
        return stepped(recipe.schedule, recipe.optimizer, self.net.parameters(), steps)

    def lr_scheduler_step(self, scheduler: LRScheduler, metric: object) -> None:
        """Moves the learning rate in the first stage."""
        if not self._rewards:
            scheduler.step()
