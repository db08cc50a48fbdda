// SPDX-License-Identifier: Apache-2.0
#include "run.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "data.hpp"
#include "error.hpp"
#include "evaluate.hpp"
#include "files.hpp"
#include "interrupt.hpp"
#include "progress.hpp"

namespace tool {
namespace {

using Json = nlohmann::ordered_json;

// docs/train.md tells why.
constexpr double kSampledLearningRate = 0.03;
constexpr int64_t kSampledEpochs = 72;

/// Everything of one run, in the order in which it happens.
class Run {
 public:
  explicit Run(const RunOptions& options) : options_(options), engine_(options.threads) {}

  int operator()();

 private:
  void read_data();
  void make_model();
  void decide_loss();
  void train();
  Trainer::Epoch run_epoch(Trainer& trainer, int64_t epoch, int64_t epochs, Progress& progress, const char* what);
  std::optional<Metrics> evaluate(const Evaluation& evaluation, const char* what);
  void train_again_on_all();
  void test();
  void print_shares() const;
  void choose_shown_users();
  void recommend();
  void save() const;
  void write_report() const;
  Json settings_json() const;

  RunOptions options_;
  Engine engine_;
  Profile profile_;
  Dataset data_;
  Csr learn_, validation_;  // the two parts of data_.train
  Model model_;
  std::vector<int64_t> shown_users_;
  int64_t chosen_epoch_ = 0;
  double trained_seconds_ = 0;
  int64_t trained_epochs_ = 0;
  std::string ended_ = "all epochs";
  Json report_;
};

std::string percent_text(double part) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * part);
  return text;
}

void print_header(const std::vector<int64_t>& ks) {
  std::printf("%-24s", "");
  for (const int64_t k : ks) {
    std::string at = "@";
    at += std::to_string(k);
    std::printf("  %10s  %10s", ("recall" + at).c_str(), ("ndcg" + at).c_str());
  }
  std::printf("\n");
}

void print_metrics(const std::string& name, const Metrics& metrics) {
  std::printf("%-24s", name.c_str());
  for (const RankMetrics& at : metrics.at) std::printf("  %10.4f  %10.4f", at.recall, at.ndcg);
  std::printf("\n");
}

void append(Json* object, const Metrics& metrics) {
  for (const auto& [name, value] : metrics.named()) (*object)[name] = value;
}

void Run::read_data() {
  data_ = load_dataset(options_.data, options_.split_seed);
  hold_out(data_.train, options_.validation, options_.split_seed, Purpose::validation_split, &learn_, &validation_);
  if (data_.items <= options_.ks.back()) {
    throw UserError("--topk: " + std::to_string(options_.ks.back()) + " is not below the number of items, " +
                    std::to_string(data_.items));
  }
  Json about = {{"source", data_.source},
                {"users", data_.users},
                {"items", data_.items},
                {"train", data_.train.size()},
                {"validation", validation_.size()},
                {"test", data_.test.size()},
                {"sha256", hash_of(data_)}};
  if (data_.packages > 0) {
    about["packages"] = data_.packages;
    about["graph_sha256"] = data_.graph_sha256;
  }
  report_["data"] = about;
  std::printf("%s: %lld users, %lld items, %lld interactions to learn from, %lld for validation, %lld for the test\n",
              data_.source.c_str(), static_cast<long long>(data_.users), static_cast<long long>(data_.items),
              static_cast<long long>(learn_.size()), static_cast<long long>(validation_.size()),
              static_cast<long long>(data_.test.size()));
}

/// A number alone asks for so many users with something held out, drawn by the seed; else names (ids where there are none).
void Run::choose_shown_users() {
  const std::string& wanted = options_.recommend;
  const auto number = [](const std::string& text, int64_t* value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    return error == std::errc() && end == text.data() + text.size() && *value >= 0;
  };
  int64_t count = 0;
  if (number(wanted, &count)) {
    for (int64_t user = 0; user < data_.users; ++user) {
      if (data_.train.count(user) > 0 && data_.test.count(user) > 0) shown_users_.push_back(user);
    }
    Stream(options_.train.seed, Purpose::show_users).shuffle(shown_users_);
    shown_users_.resize(std::min(shown_users_.size(), static_cast<size_t>(count)));
    return;
  }
  for (size_t begin = 0; begin <= wanted.size();) {
    const size_t comma = std::min(wanted.find(',', begin), wanted.size());
    const std::string name = wanted.substr(begin, comma - begin);
    int64_t user = -1;
    if (!data_.user_names.empty()) {
      user = std::find(data_.user_names.begin(), data_.user_names.end(), name) - data_.user_names.begin();
    } else if (!number(name, &user)) {
      user = -1;
    }
    if (user < 0 || user >= data_.users) throw UserError("--recommend: there is no user \"" + name + "\" in the data");
    shown_users_.push_back(user);
    begin = comma + 1;
  }
}

void Run::make_model() {
  if (options_.load.empty()) {
    model_.score = options_.score;
    model_.temperature = options_.temperature > 0 ? options_.temperature : default_temperature(options_.train.loss, options_.score);
    model_.users = Table(data_.users, options_.dim);
    model_.items = Table(data_.items, options_.dim);
    initialise(&model_.users, options_.init, options_.train.seed, Purpose::init_users);
    initialise(&model_.items, options_.init, options_.train.seed, Purpose::init_items);
    return;
  }
  LoadedModel loaded = load_model(options_.load);
  model_ = std::move(loaded.model);
  const auto refuse = [&](const char* option, const std::string& ours, const std::string& theirs) {
    throw UserError(std::string(option) + " is " + ours + ", but the model of --load " + options_.load + " has " + theirs);
  };
  const auto sizes = [](int64_t users, int64_t items) {
    return std::to_string(users) + " users and " + std::to_string(items) + " items";
  };
  if (model_.users.rows != data_.users || model_.items.rows != data_.items) {
    throw UserError("--data " + options_.data + " has " + sizes(data_.users, data_.items) + ", but the model of --load " +
                    options_.load + " has " + sizes(model_.users.rows, model_.items.rows));
  }
  if (options_.dim_given && model_.dim() != options_.dim) {
    refuse("--dim", std::to_string(options_.dim), std::to_string(model_.dim()));
  }
  if (options_.score_given && model_.score != options_.score) refuse("--score", name_of(options_.score), name_of(model_.score));
  if (options_.temperature > 0) model_.temperature = options_.temperature;
  if (loaded.about["data_sha256"] != report_["data"]["sha256"].get<std::string>()) {
    std::fprintf(stderr, "vastmax: warning: the model of --load %s was trained on other data\n", options_.load.c_str());
  }
}

/// What the loss needs to know of model and data before its options can be settled.
void Run::decide_loss() {
  TrainSettings& train = options_.train;
  if (!is_sampled(train.loss)) {
    refuse_sampled_options(train.loss, options_.sampled);
    return;
  }
  train.sampled = decide(train.loss, options_.sampled, model_.score, data_.items);
  if (!options_.rate_given) train.learning_rate = kSampledLearningRate;
  if (!options_.epochs_given) train.epochs = kSampledEpochs;
}

Json Run::settings_json() const {
  const TrainSettings& train = options_.train;
  const char* const schedules[] = {"constant", "linear", "cosine"};
  const char* const weights[] = {"one", "sqrt", "mean"};
  Json out = {{"data", options_.data},
              {"loss", train.loss},
              {"score", name_of(model_.score)},
              {"dim", model_.dim()},
              {"temperature", model_.temperature},
              {"epochs", train.epochs},
              {"batch", train.batch},
              {"optimizer", "adam"},
              {"lr", train.learning_rate},
              {"user_lr", train.user_learning_rate},
              {"schedule", schedules[static_cast<int>(train.schedule)]},
              {"beta1", train.adam.beta1},
              {"beta2", train.adam.beta2},
              {"weight_decay", train.adam.weight_decay},
              {"positive_weight", weights[static_cast<int>(train.positive_weight)]},
              {"init", options_.init},
              {"seed", train.seed},
              {"split_seed", options_.split_seed},
              {"validation", options_.validation},
              {"eval_every", options_.eval_every},
              {"patience", options_.patience},
              {"refit", options_.refit},
              {"topk", options_.ks},
              {"threads", options_.threads}};
  if (!options_.load.empty()) out["load"] = options_.load;
  if (train.sampled) {
    const SampledSettings& s = *train.sampled;
    out["sampler"] = name_of(s.sampler);
    if (s.negatives > 0) out["negatives"] = s.negatives;
    out["unique"] = s.unique;
    out["per_row"] = s.per_row;
    out["keep_hits"] = s.keep_hits;
    if (s.sampler == SamplerKind::unigram) out["power"] = s.power;
    if (needs_rebuilding(s.sampler)) out["rebuild_every"] = text_of(s.rebuild_every);
    if (s.loss == VMX_LOSS_SAMPLED_SOFTMAX) {
      out["correction"] = name_of(s.correction);
      out["joint"] = s.joint;
    }
    if (s.loss == VMX_LOSS_NCE) out["log_z"] = s.log_z;
    if (s.loss == VMX_LOSS_CCL) {
      out["margin"] = s.margin;
      out["negative_weight"] = s.negative_weight;
    }
  }
  return out;
}

std::optional<Metrics> Run::evaluate(const Evaluation& evaluation, const char* what) {
  const Clock clock(profile_, "evaluation");
  Progress progress(static_cast<double>(evaluation.users()));
  return evaluation.run(engine_, model_, [&](int64_t users) {
    progress.show(static_cast<double>(users), what);
    return !interrupted();
  });
}

Trainer::Epoch Run::run_epoch(Trainer& trainer, int64_t epoch, int64_t epochs, Progress& progress, const char* what) {
  const auto result = trainer.run(epoch, [&](int64_t done, int64_t all, double loss) {
    char text[80];
    std::snprintf(text, sizeof text, "%s %lld/%lld, loss %.4f", what, static_cast<long long>(epoch),
                  static_cast<long long>(epochs), loss);
    progress.show(static_cast<double>(epoch - 1) + static_cast<double>(done) / static_cast<double>(all), text);
    return !interrupted();
  });
  trained_seconds_ += result.seconds;
  if (result.whole) ++trained_epochs_;
  progress.clear();
  return result;
}

void Run::train() {
  const int64_t epochs = options_.train.epochs;
  report_["epochs"] = Json::array();
  const bool choosing = validation_.size() > 0;
  const Evaluation evaluation(validation_, learn_, options_.ks);
  if (choosing) {
    const Metrics popularity = evaluation.popularity(learn_, data_.items);
    append(&report_["popularity"]["validation"], popularity);
    print_header(options_.ks);
    print_metrics("validation: popularity", popularity);
  }
  Trainer trainer(engine_, profile_, options_.train, learn_, model_);
  Progress progress(static_cast<double>(epochs));
  double best = -1;
  int64_t worse = 0;
  Table best_users, best_items;
  for (int64_t epoch = 1; epoch <= epochs && !interrupted(); ++epoch) {
    const auto result = run_epoch(trainer, epoch, epochs, progress, "epoch");
    Json entry = {{"epoch", epoch}, {"loss", result.loss}, {"seconds", result.seconds}};
    if (!result.whole) entry["whole"] = false;
    if (!std::isfinite(result.loss)) {
      throw UserError("the loss is no longer finite in epoch " + std::to_string(epoch) +
                      ": a smaller --lr or a larger --temperature may help");
    }
    char text[80];
    std::snprintf(text, sizeof text, "epoch %lld, loss %.4f", static_cast<long long>(epoch), result.loss);
    bool stop = false;
    if (choosing && result.whole && (epoch % options_.eval_every == 0 || epoch == epochs)) {
      if (const auto metrics = evaluate(evaluation, "validation")) {
        append(&entry, *metrics);
        print_metrics(text, *metrics);
        if (metrics->at.back().ndcg > best) {
          best = metrics->at.back().ndcg;
          chosen_epoch_ = epoch;
          worse = 0;
          if (epoch < epochs) {
            best_users = model_.users;
            best_items = model_.items;
          }
        } else if (++worse == options_.patience) {
          stop = true;
          ended_ = "patience";
        }
      }
    } else {
      std::printf("%s\n", text);
    }
    std::fflush(stdout);
    report_["epochs"].push_back(entry);
    write_report();
    if (stop) break;
  }
  if (interrupted()) ended_ = "interrupted";
  if (chosen_epoch_ == 0) {
    chosen_epoch_ = static_cast<int64_t>(report_["epochs"].size());  // nothing was evaluated: the last one
  } else if (chosen_epoch_ < epochs && best_users.rows > 0) {
    model_.users = std::move(best_users);
    model_.items = std::move(best_items);
  }
}

void Run::train_again_on_all() {
  std::printf("training again on all of train, for the %lld epochs chosen\n", static_cast<long long>(chosen_epoch_));
  make_model();
  Trainer trainer(engine_, profile_, options_.train, data_.train, model_);
  Progress progress(static_cast<double>(chosen_epoch_));
  Json epochs = Json::array();
  for (int64_t epoch = 1; epoch <= chosen_epoch_ && !interrupted(); ++epoch) {
    const auto result = run_epoch(trainer, epoch, chosen_epoch_, progress, "refit: epoch");
    Json entry = {{"epoch", epoch}, {"loss", result.loss}, {"seconds", result.seconds}};
    if (!result.whole) entry["whole"] = false;
    epochs.push_back(entry);
  }
  report_["refit"] = {{"epochs", epochs}};
  if (interrupted()) ended_ = "interrupted";
}

void Run::test() {
  const Evaluation evaluation(data_.test, data_.train, options_.ks);
  if (evaluation.users() == 0) return;
  const Metrics popularity = evaluation.popularity(data_.train, data_.items);
  const auto metrics = evaluate(evaluation, "test");
  if (!metrics) return;
  append(&report_["popularity"]["test"], popularity);
  report_["test"] = {{"epoch", chosen_epoch_}, {"users", metrics->users}, {"refit", options_.refit}};
  append(&report_["test"], *metrics);
  std::printf("\n");
  print_header(options_.ks);
  print_metrics("test: popularity", popularity);
  print_metrics("test: epoch " + std::to_string(chosen_epoch_) + (options_.refit ? ", refit" : ""), *metrics);
}

void Run::print_shares() const {
  if (trained_epochs_ > 0) {
    std::printf("\n%.2f s an epoch with %d thread%s. Shares of the time, evaluation included:",
                trained_seconds_ / static_cast<double>(trained_epochs_), options_.threads,
                options_.threads == 1 ? "" : "s");
    double all = 0;
    for (const auto& [part, seconds] : profile_.parts()) all += seconds;
    const char* separator = " ";
    for (const auto& [part, seconds] : profile_.parts()) {
      std::printf("%s%s %s", separator, part.c_str(), percent_text(seconds / all).c_str());
      separator = ", ";
    }
    std::printf("\n");
  }
}

void Run::recommend() {
  const auto name = [](const std::vector<std::string>& names, int64_t id) {
    return names.empty() ? std::to_string(id) : names[static_cast<size_t>(id)];
  };
  Csr known;
  for (const int64_t user : shown_users_) known.add_row(data_.train[user]);
  const int64_t k = 10;
  Json list = Json::array();
  rank_items(engine_, model_, shown_users_, known, std::min(k, data_.items), [&](int64_t first, int64_t rows, const int32_t* ids) {
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t user = shown_users_[static_cast<size_t>(first + r)];
      const auto train = data_.train[user], test = data_.test[user];
      Json entry = {{"user", name(data_.user_names, user)}, {"has", Json::array()}, {"recommended", Json::array()}};
      std::printf("\n%s has", name(data_.user_names, user).c_str());
      for (size_t i = 0; i < train.size(); ++i) {
        const std::string item = name(data_.item_names, train[i]);
        entry["has"].push_back(item);
        if (i < 8) std::printf("%s %s", i == 0 ? "" : ",", item.c_str());
      }
      if (train.size() > 8) std::printf(" and %zu more", train.size() - 8);
      std::printf("\n  recommended (* was held out, %zu are):", test.size());
      for (int64_t i = 0; i < k; ++i) {
        const int32_t id = ids[r * k + i];
        if (id < 0) break;
        const bool hit = std::binary_search(test.begin(), test.end(), id);
        const std::string item = name(data_.item_names, id);
        entry["recommended"].push_back({{"item", item}, {"held_out", hit}});
        std::printf("%s %s%s", i == 0 ? "" : ",", item.c_str(), hit ? "*" : "");
      }
      std::printf("\n");
      list.push_back(entry);
    }
    return true;
  });
  report_["recommended"] = list;
}

void Run::save() const {
  if (options_.save.empty()) return;
  save_model(model_,
             {{"epoch", std::to_string(chosen_epoch_)},
              {"data", data_.source},
              {"data_sha256", report_["data"]["sha256"].get<std::string>()},
              {"seed", std::to_string(options_.train.seed)},
              {"vastmax", vmx_version_string()}},
             options_.save);
  std::printf("saved %s\n", options_.save.c_str());
}

void Run::write_report() const {
  if (options_.json.empty()) return;
  Json out = report_;
  double all = 0;
  for (const auto& [part, seconds] : profile_.parts()) all += seconds;
  for (const auto& [part, seconds] : profile_.parts()) {
    out["profile"][part] = {{"seconds", seconds}, {"share", seconds / all}};
  }
  out["ended"] = ended_;
  write_whole_file(options_.json, [&](const Sink& sink) { sink(out.dump(2) + "\n"); });
}

int Run::operator()() {
  catch_interrupts();
  if (!options_.save.empty()) check_writable(options_.save, "--save");
  if (!options_.json.empty()) check_writable(options_.json, "--json");
  report_["command"] = "train";
  report_["settings"] = nullptr;  // its place
  report_["machine"] = machine_json(engine_.context.get());
  read_data();
  if (!options_.recommend.empty()) choose_shown_users();
  make_model();
  decide_loss();
  report_["settings"] = settings_json();
  train();
  if (!interrupted() && options_.refit && chosen_epoch_ > 0) train_again_on_all();
  report_["chosen_epoch"] = chosen_epoch_;
  if (!interrupted() && !options_.no_test) test();
  save();
  if (!interrupted()) {
    print_shares();
    if (!shown_users_.empty()) recommend();
  }
  write_report();
  if (!options_.json.empty()) std::printf("wrote %s\n", options_.json.c_str());
  if (!interrupted()) return 0;
  std::fflush(stdout);
  std::fprintf(stderr, "vastmax: interrupted after %lld whole epochs; %s\n", static_cast<long long>(trained_epochs_),
               options_.save.empty() ? "nothing was to be saved (--save)" : "what was learnt is saved");
  return 130;
}

}  // namespace

int run_train(const RunOptions& options) { return Run(options)(); }

}  // namespace tool
