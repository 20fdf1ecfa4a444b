#include "app/config/settings.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/config/help.hpp"
#include "app/config/load.hpp"

namespace signalbox {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

enum class Colour { Red, Green };

/// One setting of each kind.
struct Example {
  std::string name = "anna";
  Secret password;
  unsigned loops = 2;
  double ratio = 0.5;
  bool loud = false;
  std::vector<std::string> tags;
  Colour colour = Colour::Red;
  std::vector<Colour> colours{Colour::Red, Colour::Green};
  milliseconds wait{500};
  milliseconds pause{1500};
  std::string bind = "127.0.0.1";
  KafkaPassThrough kafka;
};

const ChoiceOf<Colour> kColours{{"red", Colour::Red}, {"green", Colour::Green}};

Settings describe(Example& example) {
  Settings settings{"example", "Shows one of each."};
  settings.group("All");
  settings.text(example.name, {{"NAME", "OLD_NAME"}, "name", "name"}, "A name.");
  settings.secret(example.password, {{"PASSWORD"}, "password"}, "A secret.");
  settings.integer<unsigned>(example.loops, {.min = 1, .max = 8}, {{"LOOPS"}, "loops", "loops"},
                             "A number.");
  settings.decimal(example.ratio, {.min = 0, .max = 1}, {{"RATIO"}, "ratio"}, "A ratio.");
  settings.boolean(example.loud, {{"LOUD"}, "loud", "loud"}, "A switch.");
  settings.list(example.tags, {{"TAGS"}, "tags"}, "A list.");
  settings.choice<Colour>(example.colour, kColours, {{"COLOUR"}, "colour"}, "A choice.");
  settings.choices<Colour>(example.colours, kColours, {{"COLOURS"}, "colours"}, "Some choices.");
  settings.milliseconds(example.wait, {.min = milliseconds{1}, .max = milliseconds{9000}},
                        {{"WAIT_MS"}, "wait_ms"}, "A duration.");
  settings.seconds(example.pause, {.min = milliseconds{100}, .max = milliseconds{60'000}},
                   {{"PAUSE_SECONDS"}, "pause_seconds"}, "Another duration.");
  settings.address(example.bind, {{}, "example.bind", "bind"}, "An address.");
  settings.kafka_properties(example.kafka);
  settings.check([&example](ConfigCheck& check) {
    if (example.loud && example.name == "quiet") check.problem("LOUD: not with NAME=quiet");
    if (check.is_given("TAGS")) check.note("tags_given", "some");
  });
  return settings;
}

/// Reads an Example in a directory of its own.
class SettingsTest : public testing::Test {
 protected:
  SettingsTest() {
    directory_ = std::filesystem::path{testing::TempDir()} /
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  ~SettingsTest() override { std::filesystem::remove_all(directory_); }

  std::string file(const std::string& name, std::string_view text) {
    std::ofstream{directory_ / name} << text;
    return directory_ / name;
  }

  /// True when the configuration was accepted; `problems_` otherwise.
  bool load(std::vector<std::string> arguments, Environment::Variables variables = {},
            std::string dot_env = "") {
    example_ = Example{};
    const auto outcome = load_settings(describe(example_), arguments,
                                       {.environment = Environment{std::move(variables)},
                                        .dot_env = std::move(dot_env),
                                        .foreign_keys = {"other.port"}});
    problems_.clear();
    if (!outcome) problems_ = outcome.error().problems;
    if (outcome) outcome_ = *outcome;
    return outcome.has_value();
  }

  Example example_;
  LoadOutcome outcome_;
  std::vector<std::string> problems_;
  std::filesystem::path directory_;
};

TEST_F(SettingsTest, KeepsTheDefaultsWhereNothingIsGiven) {
  ASSERT_TRUE(load({}));
  EXPECT_EQ(example_.name, "anna");
  EXPECT_EQ(example_.loops, 2U);
  EXPECT_EQ(outcome_.request, Request::Run);
}

TEST_F(SettingsTest, ReadsEveryKindFromTheEnvironment) {
  ASSERT_TRUE(load({}, {{"NAME", " berta "},
                        {"PASSWORD", " p ss "},
                        {"LOOPS", "8"},
                        {"RATIO", "0.25"},
                        {"LOUD", "Yes"},
                        {"TAGS", " a ,,b, "},
                        {"COLOUR", "GREEN"},
                        {"COLOURS", "green,green"},
                        {"WAIT_MS", "20"},
                        {"PAUSE_SECONDS", "0.25"}}));
  EXPECT_EQ(example_.name, "berta");
  EXPECT_EQ(example_.password.reveal(), " p ss ");
  EXPECT_EQ(example_.loops, 8U);
  EXPECT_EQ(example_.ratio, 0.25);
  EXPECT_TRUE(example_.loud);
  EXPECT_THAT(example_.tags, ElementsAre("a", "b"));
  EXPECT_EQ(example_.colour, Colour::Green);
  EXPECT_THAT(example_.colours, ElementsAre(Colour::Green));
  EXPECT_EQ(example_.wait, milliseconds{20});
  EXPECT_EQ(example_.pause, milliseconds{250});
  EXPECT_THAT(outcome_.notes, ElementsAre(ConfigNote{"tags_given", "some"}));
}

TEST_F(SettingsTest, LetsFlagWinOverEnvironmentOverEnvFileOverFileOverDefault) {
  const std::string toml = file("a.toml", "name = 'toml'\nloops = 5\nratio = 1\ntags = ['t']\n");
  const std::string dot_env = file(".env", "NAME=dotenv\nLOOPS=6\nRATIO=0.75\n");
  ASSERT_TRUE(
      load({"--config", toml, "--name=flag"}, {{"NAME", "environment"}, {"LOOPS", "7"}}, dot_env));
  EXPECT_EQ(example_.name, "flag");
  EXPECT_EQ(example_.loops, 7U);
  EXPECT_EQ(example_.ratio, 0.75);
  EXPECT_THAT(example_.tags, ElementsAre("t"));
  EXPECT_EQ(example_.wait, milliseconds{500});
}

TEST_F(SettingsTest, ReadsTheNamedEnvFileInsteadOfTheOneThatLiesThere) {
  const std::string dot_env = file(".env", "NAME=lies there\n");
  const std::string named = file("prod.env", "LOOPS=3\n");
  ASSERT_TRUE(load({"--env-file", named}, {}, dot_env));
  EXPECT_EQ(example_.name, "anna");
  EXPECT_EQ(example_.loops, 3U);
}

TEST_F(SettingsTest, TakesTheFirstOfTwoNamesThatIsSet) {
  ASSERT_TRUE(load({}, {{"OLD_NAME", "old"}}));
  EXPECT_EQ(example_.name, "old");
  ASSERT_TRUE(load({}, {{"NAME", "new"}, {"OLD_NAME", "old"}}));
  EXPECT_EQ(example_.name, "new");
}

TEST_F(SettingsTest, CountsAnEmptyVariableAsNotSet) {
  ASSERT_TRUE(load({}, {{"NAME", ""}, {"LOOPS", ""}, {"COLOURS", ""}}));
  EXPECT_EQ(example_.name, "anna");
  EXPECT_EQ(example_.colours.size(), 2U);
}

TEST_F(SettingsTest, ReadsASecretFromAFileWithoutItsLineEnd) {
  const std::string secret = file("secret", "hunter2\r\n");
  ASSERT_TRUE(load({}, {{"PASSWORD_FILE", secret}}));
  EXPECT_EQ(example_.password.reveal(), "hunter2");
  ASSERT_TRUE(load({"--config", file("a.toml", "password_file = '" + secret + "'")}));
  EXPECT_EQ(example_.password.reveal(), "hunter2");
}

TEST_F(SettingsTest, RefusesASecretThatIsGivenTwice) {
  EXPECT_FALSE(load({}, {{"PASSWORD", "hunter2"}, {"PASSWORD_FILE", file("secret", "hunter3")}}));
  EXPECT_THAT(problems_, ElementsAre("PASSWORD and PASSWORD_FILE: found both, accepted is one of "
                                     "them"));
}

TEST_F(SettingsTest, NamesTheFileOfASecretThatIsNotThere) {
  EXPECT_FALSE(load({}, {{"PASSWORD_FILE", "/nowhere/secret"}}));
  EXPECT_THAT(problems_.at(0), HasSubstr("PASSWORD_FILE: found \"/nowhere/secret\", which cannot "
                                         "be read (No such file or directory)"));
}

TEST_F(SettingsTest, NamesEveryMalformedValueWithWhatIsAccepted) {
  EXPECT_FALSE(load({"--loops", "nine"}, {{"RATIO", "2"},
                                          {"LOUD", "maybe"},
                                          {"COLOUR", "blue"},
                                          {"WAIT_MS", "1.5"},
                                          {"PAUSE_SECONDS", "0"}}));
  EXPECT_THAT(
      problems_,
      ElementsAre(
          R"(--loops: found "nine" (command line), accepted is a whole number from 1 to 8)",
          R"(RATIO: found "2" (environment), accepted is a number from 0 to 1)",
          R"(LOUD: found "maybe" (environment), accepted is true or false)",
          R"(COLOUR: found "blue" (environment), accepted is one of red, green)",
          R"(WAIT_MS: found "1.5" (environment), accepted is a whole number from 1 to 9000 (ms))",
          R"(PAUSE_SECONDS: found "0" (environment), accepted is a number from 0.1 to 60 (s))"));
}

TEST_F(SettingsTest, RefusesAnUnknownFlagAndSaysWhichThereAre) {
  EXPECT_FALSE(load({"--prot", "1"}));
  EXPECT_THAT(problems_.at(0), HasSubstr("--prot: unknown flag, accepted are --name --loops"));
}

TEST_F(SettingsTest, RefusesAFlagWithoutItsValueAndAWordThatIsNoFlag) {
  EXPECT_FALSE(load({"extra", "--name", "--loud"}));
  EXPECT_THAT(problems_, ElementsAre("--name: found no value, accepted is --name VALUE",
                                     "\"extra\": unexpected word, accepted is flags only"));
}

TEST_F(SettingsTest, TakesASwitchWithAndWithoutAValue) {
  ASSERT_TRUE(load({"--loud"}));
  EXPECT_TRUE(example_.loud);
  ASSERT_TRUE(load({"--loud=no"}, {{"LOUD", "yes"}}));
  EXPECT_FALSE(example_.loud);
}

TEST_F(SettingsTest, RefusesAnUnknownKeyButNotOneOfAnotherService) {
  const std::string toml = file("a.toml", "nmae = 'x'\n[other]\nport = 1\n[example]\nprot = 2\n");
  EXPECT_FALSE(load({"--config", toml}));
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("example.prot ("), HasSubstr("nmae (")));
  EXPECT_THAT(problems_.at(0), HasSubstr("unknown key"));
}

TEST_F(SettingsTest, NamesTheLineOfAFileThatIsNoToml) {
  EXPECT_FALSE(load({"--config", file("a.toml", "name = 'a'\nloops = \n")}));
  EXPECT_THAT(problems_.at(0), HasSubstr("a.toml: line 2: "));
}

TEST_F(SettingsTest, RefusesAFileThatIsNotThere) {
  EXPECT_FALSE(load({"--config", "/nowhere/a.toml", "--env-file", "/nowhere/.env"}));
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("--env-file: found \"/nowhere/.env\""),
                                     HasSubstr("--config: found \"/nowhere/a.toml\"")));
}

TEST_F(SettingsTest, RefusesACombinationThatCannotBe) {
  EXPECT_FALSE(load({"--loud", "--name", "quiet"}));
  EXPECT_THAT(problems_, ElementsAre("LOUD: not with NAME=quiet"));
}

TEST_F(SettingsTest, AnswersHelpWhateverElseIsWrong) {
  ASSERT_TRUE(load({"--help"}, {{"LOOPS", "nine"}}));
  EXPECT_EQ(outcome_.request, Request::Help);
  ASSERT_TRUE(load({"--version"}));
  EXPECT_EQ(outcome_.request, Request::Version);
}

TEST_F(SettingsTest, PassesKafkaPropertiesOnFromFileAndEnvironment) {
  const std::string toml =
      file("a.toml", "[kafka]\nsocket.keepalive.enable = true\nsecurity.protocol = 'SSL'\n");
  ASSERT_TRUE(load({"--config", toml}, {{"KAFKA_SECURITY_PROTOCOL", "SASL_SSL"},
                                        {"KAFKA_SASL_MECHANISM", "SCRAM-SHA-256"},
                                        {"KAFKA_SASL_USERNAME", "bot"},
                                        {"KAFKA_SASL_PASSWORD_FILE", file("secret", "hunter2\n")},
                                        {"KAFKA_SSL_CA_LOCATION", "/etc/ca.pem"}}));
  EXPECT_EQ(example_.kafka, (KafkaPassThrough{{"sasl.mechanisms", "SCRAM-SHA-256"},
                                              {"sasl.password", "hunter2"},
                                              {"sasl.username", "bot"},
                                              {"security.protocol", "SASL_SSL"},
                                              {"socket.keepalive.enable", "true"},
                                              {"ssl.ca.location", "/etc/ca.pem"}}));
}

TEST_F(SettingsTest, RefusesKafkaPropertiesThatLibrdkafkaDoesNotKnow) {
  EXPECT_FALSE(load({"--config", file("a.toml", "[kafka]\nbrokr = 'x'\n")},
                    {{"KAFKA_SECURITY_PROTOCOL", "TELNET"}}));
  EXPECT_THAT(problems_,
              ElementsAre(HasSubstr("kafka.brokr ("),
                          HasSubstr("KAFKA_SECURITY_PROTOCOL (environment): found \"TELNET\"")));
}

TEST_F(SettingsTest, RefusesKafkaPropertiesThatThePromisesRestOn) {
  EXPECT_FALSE(load({"--config", file("a.toml", "[kafka]\nenable.auto.commit = true\n")}));
  EXPECT_THAT(problems_.at(0), HasSubstr("is set by signalbox: offsets follow the fence"));
}

TEST_F(SettingsTest, RefusesCredentialsThatNoProtocolSends) {
  EXPECT_FALSE(load({}, {{"KAFKA_SASL_USERNAME", "bot"}, {"KAFKA_SASL_PASSWORD", "hunter2"}}));
  EXPECT_THAT(problems_.at(0), HasSubstr("accepted with KAFKA_SECURITY_PROTOCOL=SASL_SSL"));
  EXPECT_THAT(problems_.at(0), Not(HasSubstr("hunter2")));
}

TEST(HelpText, ShowsFlagsAndVariablesWithDefaults) {
  Example example;
  const std::string help = help_text(describe(example));
  EXPECT_THAT(help, HasSubstr("Usage: signalbox example [flags]\n\nShows one of each.\n"));
  EXPECT_THAT(help, HasSubstr("  --loops N\n      A number. Accepted: a whole number from 1 to 8. "
                              "Default: 2.\n"));
  EXPECT_THAT(help, HasSubstr("  NAME or OLD_NAME [name]\n"));
  EXPECT_THAT(help, HasSubstr("  PASSWORD or PASSWORD_FILE [password]\n"));
  EXPECT_THAT(help, HasSubstr("  --config FILE\n"));
}

}  // namespace
}  // namespace signalbox
