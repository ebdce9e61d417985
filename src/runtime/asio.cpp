// The one compiled copy of Boost.Asio. Every other source sees declarations only
// (BOOST_ASIO_SEPARATE_COMPILATION); a second copy in a plugin would have services of its own, and
// its timers would never fire on the host's io_context.
#include <boost/asio/impl/src.hpp>
