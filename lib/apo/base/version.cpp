#include "apo/base/version.h"

namespace apo {

const char* version() {
  return APO_VERSION;
}

const char* commit() {
  return APO_COMMIT;
}

}  // namespace apo
