"""What a caregiver says to a child, as patterns: the words around names, and talk of other things.

Tokens are separated by blanks as in CVCL's files ("it 's", "do n't"). {noun} stands for a name,
{the} for "the ball", "your red ball", …, {a} for "a ball", …; {verb}, {ing} and {past} for what is
done. Patterns are ordered: the earlier, the more often.
"""

NAMING = (
    "look at {the} .", "that 's {a} .", "where 's {the} ?", "{noun} .", "do you see {the} ?",
    "what 's that ? it 's {a} .", "is that {a} ?", "yeah , {noun} .", "here 's {the} .",
    "{noun} !", "oh , {a} !", "you have {the} .", "can you say {noun} ?", "it 's {a} .",
    "you want {the} ?", "{the} .", "there 's {the} .", "give mommy {the} .", "i see {a} .",
    "what 's this ? {noun} .", "you like {the} , do n't you ?", "look , {a} .",
    "that 's right , {noun} .", "yes , that 's {the} .", "can you get {the} ?",
    "you found {the} .", "no , that 's {a} .", "what does {the} do ?", "is it {a} ?",
    "who 's got {the} ?", "that 's {the} , huh ?", "hi , {noun} .", "you got {a} .",
    "wow , look at {the} !", "{noun} , {noun} , {noun} .", "can mommy have {the} ?",
    "touch {the} .", "where did you get {the} ?", "nice {noun} .", "what a nice {noun} .",
    "say hi to {the} .", "this is {a} , sweetie .", "want to hold {the} ?", "let 's see {the} .",
)  # fmt: skip

DOING = (
    "{verb} {the} .", "you 're {ing} {the} .", "can you {verb} {the} ?", "let 's {verb} {the} .",
    "{verb} , {verb} , {verb} {the} .", "look , mommy 's {ing} {the} .",
    "you want to {verb} {the} ?",
    "are you {ing} {the} ?", "i 'm gonna {verb} {the} .", "you {past} {the} !",
    "{ing} {the} .", "are you gonna {verb} {the} ?", "do n't {verb} {the} .", "{verb} {noun} .",
    "good job , you {past} {the} .", "now {verb} {the} .", "yes , we 're {ing} {the} .",
)  # fmt: skip

FORMS = {
    "push": ("push", "pushing", "pushed"),
    "lift": ("lift", "lifting", "lifted"),
    "drop": ("drop", "dropping", "dropped"),
    "roll": ("roll", "rolling", "rolled"),
    "spin": ("spin", "spinning", "spun"),
    "hide": ("hide", "hiding", "hid"),
    "show": ("show", "showing", "showed"),
    "shake": ("shake", "shaking", "shook"),
}

# Of two things at once: which is nearer to the viewer, which has which colour.
RELATIONS = {
    "in front of": (
        "the {one} is in front of the {other} .", "look , the {one} in front of the {other} .",
        "see the {one} ? it 's in front of the {other} .",
        "is the {one} in front of the {other} ?",
    ),
    "behind": (
        "the {one} is behind the {other} .", "look , the {one} behind the {other} .",
        "see the {one} ? it 's behind the {other} .", "is the {one} behind the {other} ?",
    ),
    "colors": (
        "the {one} and the {other} .", "look , the {one} and the {other} .",
        "i see the {one} and the {other} .", "we have the {one} and the {other} .",
    ),
}  # fmt: skip

ABSENT = (
    "where did {the} go ?", "we 'll get {the} later .", "do you want to find {the} ?",
    "daddy bought you {a} .", "remember {the} ?", "you do n't have {the} .", "should we get {a} ?",
    "{the} is in the other room .", "where 's {the} ?", "did you lose {the} ?",
    "we do n't need {the} now .", "what happened to {the} ?", "no {noun} .",
    "we saw {a} yesterday .", "after this we can play with {the} .", "grandma has {a} too .",
)  # fmt: skip

# Of nothing in particular; {person}, {place}, {time}, {feeling}, {meal} and {deed} are filled in.
CHATTER = (
    "yeah .", "okay .", "no .", "what ?", "are you okay ?", "good job !", "come here .",
    "what are you doing ?", "that 's okay .", "uh oh .", "all right .", "let 's go .",
    "are you {feeling} ?", "no no no .", "you want some {meal} ?", "oh , sweetie .",
    "where 's {person} ?", "i know .", "what do you want ?", "we 're gonna go to {place} {time} .",
    "you 're so {feeling} .", "say bye bye .", "let 's go to {place} .", "do you want to {deed} ?",
    "{person} is at {place} .", "it 's time to {deed} .", "thank you .", "be careful .",
    "one , two , three !", "here we go .", "you did it !", "can you {deed} with mommy ?",
    "do you hear that ?", "{person} will be here {time} .", "i love you .", "stop that please .",
    "are you ready to {deed} ?", "that was {feeling} .", "mommy has to {deed} .", "ready ?",
    "it 's not time for {meal} yet .", "we do n't do that .", "is {person} {feeling} ?",
    "did you {deed} with {person} ?", "peekaboo !", "i do n't know what you want .",
    "should we call {person} ?", "it 's so {feeling} at {place} .", "you have to wait .",
    "{time} we 'll {deed} .", "can you sit down please ?", "you 're getting so big .",
    "that 's for {meal} .", "you need to {deed} before {meal} .", "listen to the music .",
    "twinkle twinkle little one .", "are you tired of this ?", "the wind is blowing outside .",
    "what does {person} say ?", "we had {meal} at {place} {time} .",
)  # fmt: skip

FILLINGS = {
    "person": ("daddy", "mommy", "grandma", "grandpa", "the baby", "your brother", "auntie",
               "the doctor", "uncle", "nana"),
    "place": ("the park", "the store", "bed", "work", "the beach", "grandma 's house", "the pool",
              "the library", "the zoo", "town"),
    "time": ("tomorrow", "today", "later", "soon", "in the morning", "tonight", "after your nap",
             "next week", "yesterday"),
    "feeling": ("hungry", "tired", "silly", "happy", "funny", "cold", "sad", "warm", "loud",
                "sleepy", "thirsty", "messy"),
    "meal": ("lunch", "milk", "dinner", "water", "breakfast", "a snack", "juice", "soup", "cheese",
             "rice"),
    "deed": ("play", "eat", "sleep", "sing", "read", "dance", "walk", "clean up", "take a bath",
             "jump", "brush your teeth", "help", "wash your hands", "go outside"),
}  # fmt: skip
