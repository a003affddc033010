// What this is.
#pragma once

namespace apo {

/// "0.1.0".
const char* version();

/// The commit that it was built from, as git describes it; "" where that is not known.
const char* commit();

}  // namespace apo
