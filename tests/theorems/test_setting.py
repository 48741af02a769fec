"""The setting of the statements on data."""
import numpy as np

from refsm.theorems.setting import Setting, middle


def test_a_setting_draws_noise_and_parameters_from_its_seed():
    setting = Setting(np.ones((200, 7)), "rows", 0.3, 11, 5)
    x_noisy, W, b, c = setting.draw()
    again = setting.draw()
    assert all((one == other).all() for one, other in zip((x_noisy, W, b, c), again))
    assert (x_noisy.shape, W.shape, b.shape, c.shape) == ((200, 7), (11, 7), (11,), (7,))
    assert 0.28 < (x_noisy - 1).std() < 0.32
    assert 0.7 < W.std() * np.sqrt(7) < 1.3
    np.testing.assert_array_equal(c, np.ones(7))
    assert setting.where == "200 rows, d=7, m=11, sigma=0.3"


def test_the_setting_in_the_middle():
    settings = [Setting(np.ones((3, 5)), "rows", sigma, 3, 0) for sigma in (0.1, 0.2, 0.3)]
    assert middle(settings).sigma == 0.2
    assert middle(settings[:1]).sigma == 0.1
