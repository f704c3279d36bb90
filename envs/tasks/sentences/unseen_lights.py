"""Paraphrases about lights, with verbs that never occur in training; see
`envs.tasks.instructions`."""

UNSEEN = {
    f"turn_{goal}_lightbulb": text
    for goal, text in {
        "on": """
            flip the lever up so that the bulb glows
            flick the lamp on
            illuminate the bulb
            activate the yellow lamp
            power up the light bulb
            raise the lever to make the bulb shine
            light the lamp
            get the yellow bulb going
            give us some light from the bulb
            make the lamp shine
            could you flick the light bulb on?
            ignite the yellow bulb
            toggle the lever so that the lamp glows
            let there be light from the bulb
            brighten the lamp
            I want to see the yellow light shine
            start the lamp
            put the light bulb on
            set the lamp alight
            bring the yellow bulb to life
            have the lamp burn
            lift the lever until the bulb shines
            enable the light bulb
            wake up the yellow lamp
            the bulb is dark, make it bright
            energise the lamp
            kindle the bulb
            shove the lever upward to get the lamp going
            the lamp should be burning
            would you please light the bulb?
            engage the yellow lamp
            nudge the lever up so that the bulb burns
            it is too dark, light the yellow lamp
            bring the lever up for the light bulb
            get light out of the lamp
            let the yellow bulb glow
            put the lever in its upper position to light the bulb
            trigger the light bulb
            cause the lamp to shine
            make it bright with the light bulb
            drive the lever upward until the yellow lamp shines
            now flick on the yellow bulb
        """,
        "off": """
            flip the lever down so that the bulb stops glowing
            flick the lamp off
            extinguish the bulb
            deactivate the yellow lamp
            power down the light bulb
            lower the lever to make the bulb go out
            put out the lamp
            get rid of the yellow light
            give us darkness instead of the bulb
            make the lamp stop shining
            could you flick the light bulb off?
            douse the yellow bulb
            toggle the lever so that the lamp goes out
            let the bulb go dark
            dim the lamp completely
            I want the yellow light to be gone
            stop the lamp
            put the light bulb out
            black out the lamp
            kill the light of the yellow bulb
            have the lamp go dark
            press the lever down until the bulb is out
            disable the light bulb
            send the yellow lamp to sleep
            the bulb is bright, make it dark
            cut the power of the lamp
            quench the bulb
            shove the lever downward to stop the lamp
            the lamp should not be burning
            would you please put out the bulb?
            disengage the yellow lamp
            nudge the lever down so that the bulb stops burning
            it is too bright, put out the yellow lamp
            bring the lever down for the light bulb
            get no more light out of the lamp
            let the yellow bulb fade
            put the lever in its lower position to darken the bulb
            snuff out the light bulb
            cause the lamp to go out
            make it dark by the light bulb
            drive the lever downward until the yellow lamp is out
            now flick off the yellow bulb
        """,
    }.items()
}
UNSEEN |= {
    f"turn_{goal}_led": text
    for goal, text in {
        "on": """
            tap the button so that the LED glows
            hit the button to get the green light
            activate the LED
            light up the diode
            illuminate the green LED
            poke the button until the LED shines
            touch the button and light the diode
            click the button for the LED to glow
            get the green LED going
            make the small green light shine
            could you tap the button to light the LED?
            depress the button so that the diode lights up
            power up the LED
            start the green light with the button
            let the green light shine
            I want to see the green LED glow
            give the button a tap to light the LED
            put the green light on
            enable the LED
            bring the diode to life
            have the LED lit
            work the button so that the green light comes on
            trigger the green light
            wake up the LED
            the LED is dark, tap the button to light it
            energise the diode
            lower a finger onto the button for the green light to shine
            put some weight on the button so that the LED lights
            the green diode should glow
            would you please light the LED?
            engage the green LED
            thump the button to make the diode glow
            prod the button and let the green light come on
            bring on the green light
            get the diode to shine by touching the button
            the green light ought to be lit, hit the button
            set the LED aglow
            operate the button so that the green diode shines
            cause the LED to glow
            sink the button to get the green light shining
            make the diode light up
            now tap the button for green
        """,
        "off": """
            tap the button so that the LED stops glowing
            hit the button to lose the green light
            deactivate the LED
            put out the diode
            extinguish the green LED
            poke the button until the LED is dark
            touch the button and darken the diode
            click the button for the LED to go out
            get rid of the green light
            make the small green light stop shining
            could you tap the button to put out the LED?
            depress the button so that the diode goes dark
            power down the LED
            stop the green light with the button
            let the green light go out
            I want the green LED to be dark
            give the button a tap to darken the LED
            put the green light out
            disable the LED
            send the diode to sleep
            have the LED unlit
            work the button so that the green light goes out
            kill the green light
            black out the LED
            the LED glows, tap the button to end that
            cut the power of the diode
            lower a finger onto the button for the green light to vanish
            put some weight on the button so that the LED dies
            the green diode should be dark
            would you please put out the LED?
            disengage the green LED
            thump the button to make the diode go out
            prod the button and let the green light fade
            bring the green light to an end
            get the diode to go dark by touching the button
            the green light ought to be out, hit the button
            douse the LED
            operate the button so that the green diode is dark
            cause the LED to go out
            sink the button to get the green light to stop
            make the diode stop glowing
            now tap the button for no more green
        """,
    }.items()
}
