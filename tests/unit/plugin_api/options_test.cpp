#include "plugin_api/options.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace trestle {
namespace {

std::vector<Option> sample() {
    return {Option::boolean("on", "A switch").fallback(true),
            Option::integer("hwm", "A limit").between(1, 1000).fallback(10),
            Option::number("ratio", "A share").fallback(1),
            Option::string("mode", "A word").one_of({"fast", "slow"}).fallback("slow"),
            Option::string_list("bind", "Addresses").required(),
            Option::string("note", "Free text").shown_as("anything"),
            Option::object("queue", "Limits", {Option::integer("max", "Most").fallback(7)})};
}

TEST(Options, ChainKeepsWhatWasSaid) {
    const auto options = sample();
    EXPECT_EQ(options[1].minimum, 1);
    EXPECT_EQ(options[1].maximum, 1000);
    EXPECT_EQ(std::get<int64_t>(options[1].value), 10);
    EXPECT_EQ(std::get<double>(options[2].value), 1.0);
    EXPECT_EQ(options[3].choices.size(), 2U);
    EXPECT_TRUE(options[4].is_required);
    EXPECT_EQ(options[5].example, "anything");
    EXPECT_EQ(options[6].fields.size(), 1U);
}

TEST(Options, DefaultOfAnotherTypeIsAProgrammingError) {
    EXPECT_THROW((void)Option::string("a", "").fallback(3), std::logic_error);
    EXPECT_THROW((void)Option::integer("a", "").fallback("3"), std::logic_error);
    EXPECT_THROW((void)Option::integer("a", "").fallback(true), std::logic_error);
    EXPECT_THROW((void)Option::boolean("a", "").fallback(1), std::logic_error);
    EXPECT_THROW((void)Option::integer("a", "").fallback(1.5), std::logic_error);
}

TEST(Settings, DefaultsFillWhatHasOne) {
    const Settings settings = Settings::defaults(sample());
    EXPECT_TRUE(settings.boolean("on"));
    EXPECT_EQ(settings.integer("hwm"), 10);
    EXPECT_EQ(settings.number("ratio"), 1.0);
    EXPECT_EQ(settings.string("mode"), "slow");
    EXPECT_FALSE(settings.has("bind"));
    EXPECT_FALSE(settings.has("note"));
    EXPECT_EQ(settings.object("queue").integer("max"), 7);
    EXPECT_FALSE(settings.given("hwm"));
}

TEST(Settings, AskingWronglyThrows) {
    const Settings settings = Settings::defaults(sample());
    EXPECT_THROW((void)settings.integer("absent"), std::logic_error);
    EXPECT_THROW((void)settings.integer("mode"), std::logic_error);
    EXPECT_THROW((void)settings.string("hwm"), std::logic_error);
    EXPECT_THROW((void)settings.list("mode"), std::logic_error);
    EXPECT_THROW((void)settings.object("mode"), std::logic_error);
    EXPECT_THROW((void)settings.boolean("hwm"), std::logic_error);
    EXPECT_THROW((void)settings.number("hwm"), std::logic_error);
}

TEST(Settings, EqualityLooksIntoObjectsAndNotAtWhoGaveIt) {
    Settings a = Settings::defaults(sample());
    Settings b = Settings::defaults(sample());
    b.set("hwm", int64_t{10}, true);
    EXPECT_TRUE(b.given("hwm"));
    EXPECT_EQ(a, b);
    EXPECT_TRUE(a.differences(b).empty());

    Settings queue;
    queue.set("max", int64_t{8}, true);
    b.set("queue", std::make_shared<const Settings>(queue), true);
    b.set("bind", std::vector<std::string>{"tcp://*:1"}, true);
    EXPECT_FALSE(a == b);
    EXPECT_EQ(a.differences(b), (std::vector<std::string>{"queue.max", "bind"}));
    EXPECT_EQ(b.differences(a), (std::vector<std::string>{"bind", "queue.max"}));
}

}  // namespace
}  // namespace trestle
