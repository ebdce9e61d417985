// The one compiled copy of Boost.Beast's non-template parts (BOOST_BEAST_SEPARATE_COMPILATION).
// Beast has no import/export decoration: its symbols are visible as long as the default visibility
// stays.
#include <boost/beast/src.hpp>
