// Which shared objects the loader lets in, and what it says of the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/plugin_loader.h"

namespace trestle {

namespace {

using testing::AllOf;
using testing::HasSubstr;

class Loader : public testing::Test {
 protected:
    /// Why it is refused; empty when it is not.
    std::string problem_of(const std::string& name) {
        std::string problem;
        const auto* descriptor = loader_.descriptor(name, problem);
        EXPECT_EQ(descriptor == nullptr, !problem.empty());
        EXPECT_EQ(loader_.find(name, problem) == nullptr, descriptor == nullptr);
        return problem;
    }
    PluginLoader loader_{SEAM_PLUGINS};
};

}  // namespace

TEST_F(Loader, LetsInAPluginOfThisBuild) {
    EXPECT_EQ(problem_of("probe"), "");
    std::string problem;
    const auto* descriptor = loader_.descriptor("probe", problem);
    ASSERT_NE(descriptor, nullptr);
    EXPECT_STREQ(descriptor->name, "probe");
    EXPECT_STREQ(descriptor->build_stamp, build_stamp());
    EXPECT_EQ(loader_.descriptor("probe", problem), descriptor) << "it is opened once";
}

TEST_F(Loader, RefusesAnotherApiVersionAndPrintsBoth) {
    EXPECT_THAT(problem_of("other_api"),
                AllOf(HasSubstr("other_api.so"),
                      HasSubstr("plugin API version " + std::to_string(kPluginApiVersion + 1)),
                      HasSubstr("speaks " + std::to_string(kPluginApiVersion))));
}

TEST_F(Loader, RefusesAnotherBuildAndPrintsBoth) {
    EXPECT_THAT(problem_of("other_build"),
                AllOf(HasSubstr("other_build.so"), HasSubstr("\"trestle of another build\""),
                      HasSubstr("\"" + std::string(build_stamp()) + "\"")));
}

TEST_F(Loader, RefusesASharedObjectWithoutTheEntryFunction) {
    EXPECT_THAT(problem_of("no_entry"),
                AllOf(HasSubstr("no_entry.so"), HasSubstr("trestle_plugin_no_entry")));
}

TEST_F(Loader, RefusesAPluginWithoutADescriptor) {
    EXPECT_THAT(problem_of("no_descriptor"), HasSubstr("it has no descriptor"));
}

TEST_F(Loader, RefusesWhatIsNoSharedObject) {
    EXPECT_THAT(problem_of("text"), AllOf(HasSubstr("text.so"), HasSubstr("cannot be loaded")));
}

TEST_F(Loader, RefusesAPluginThatNeedsWhatIsNotThere) {
    EXPECT_THAT(problem_of("unresolved"), HasSubstr("trestle_function_of_the_future"));
}

TEST_F(Loader, SaysWhereItLookedForAMissingPlugin) {
    EXPECT_THAT(problem_of("missing"), AllOf(HasSubstr("\"missing\""), HasSubstr(SEAM_PLUGINS)));
}

TEST_F(Loader, NamesWhatIsThere) {
    EXPECT_THAT(loader_.names(),
                testing::ElementsAre("no_descriptor", "no_entry", "other_api", "other_build",
                                     "probe", "text", "unresolved"));
}

TEST(LoaderOfNoDirectory, KnowsNoPlugins) {
    PluginLoader loader("/nowhere/at/all");
    EXPECT_TRUE(loader.names().empty());
    std::string problem;
    EXPECT_EQ(loader.descriptor("mqtt", problem), nullptr);
    EXPECT_THAT(problem, HasSubstr("/nowhere/at/all"));
}

}  // namespace trestle
