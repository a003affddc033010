#include "apo/update/update_rule.h"

namespace apo {

const UpdateRuleRegistry& update_rules() {
  static const UpdateRuleRegistry registry = {
      member("sgd", "stochastic gradient descent", make_sgd),
      member("sgdm", "SGD with Nesterov momentum (Eq. 18-19)", make_sgdm),
      member("rmsprop", "RMSprop with a free power (Eq. 20-21)", make_rmsprop),
      member("adam", "Adam, or AdamW (Eq. 22-26)", make_adam),
      member("nadamw", "AdamW with Nesterov momentum", make_nadamw),
      member("smd", "stochastic meta-descent: a gain for every weight", make_smd),
      member("kfac", "Kronecker-factored natural gradient", make_kfac),
  };
  return registry;
}

}  // namespace apo
