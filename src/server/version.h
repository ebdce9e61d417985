// Which Trestle this is.
#pragma once

namespace trestle {

/// "0.1.0".
const char* program_version();
/// Short id of the commit it was built from; "unknown" when the sources came without their history.
const char* program_commit();

}  // namespace trestle
